# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What one rule of nftables matches and does, read from the expressions of `nft -j`, and its text for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

TERMINAL = ("accept", "drop", "reject", "return", "jump", "goto", "continue", "queue")
_INTERFACE_KEYS = ("iifname", "iif", "oifname", "oif")


@dataclass(frozen=True)
class Match:
    """The conditions of a rule that this module understands; None means any. `others` are conditions in words.

    `ports` holds numbers or `low-high`; `peers` are the addresses of the far end (source on input, destination on
    output).
    """

    family: str | None = None
    proto: str | None = None
    ports: tuple[str, ...] | None = None
    peers: tuple[str, ...] | None = None
    interfaces: tuple[str, ...] | None = None
    states: tuple[str, ...] | None = None
    others: tuple[str, ...] = ()

    def both(self, other: Match) -> Match:
        """Return the conditions of both; where both name a thing, the later one stands (a superset of the
        intersection)."""
        return Match(
            family=other.family or self.family,
            proto=other.proto or self.proto,
            ports=other.ports if other.ports is not None else self.ports,
            peers=other.peers if other.peers is not None else self.peers,
            interfaces=other.interfaces if other.interfaces is not None else self.interfaces,
            states=other.states if other.states is not None else self.states,
            others=self.others + other.others,
        )

    @property
    def unconditional(self) -> bool:
        """Say whether every packet meets the conditions."""
        return self == Match()


def verdict(expressions: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the verdict of a rule (`accept`, `drop`, `jump`, `vmap`, ...), or None when it goes on to the next
    rule."""
    for expression in expressions:
        for name in expression:
            if name in TERMINAL or name == "vmap":
                return name
    return None


def has(expressions: Sequence[Mapping[str, Any]], name: str) -> bool:
    """Say whether a rule has a statement such as `log`, `limit` or `counter`."""
    return any(name in expression for expression in expressions)


def matches(expressions: Sequence[Mapping[str, Any]], sets: Mapping[str, list[Any]], side: str = "saddr") -> Match:
    """Return what a rule's match expressions demand; `side` is the address field of the far end, `sets` the named
    sets."""
    found = Match()
    for expression in expressions:
        if "match" in expression:
            found = found.both(single(expression["match"], sets, side))
        elif "limit" in expression:
            found = found.both(Match(others=("limit",)))
    return found


def single(match: Mapping[str, Any], sets: Mapping[str, list[Any]], side: str) -> Match:
    """Return what one match expression demands; one that is negated or unknown is a condition in words."""
    left, right = match.get("left"), match.get("right")
    if match.get("op") not in ("==", "in"):
        return Match(others=(_match_text(match),))
    return keyed(left, values(right, sets), side) or Match(others=(_match_text(match),))


def keyed(left: Any, found: tuple[str, ...], side: str) -> Match | None:
    """Return the demand that the field `left` has one of the values, or None for a field that is not modelled."""
    if not isinstance(left, Mapping):
        return None
    if "payload" in left:
        return _payload(left["payload"], found, side)
    if "meta" in left:
        return _meta(str(left["meta"].get("key")), found)
    if "ct" in left and left["ct"].get("key") == "state":
        return Match(states=found)
    return None


def _payload(payload: Mapping[str, Any], found: tuple[str, ...], side: str) -> Match | None:
    protocol, field = str(payload.get("protocol")), str(payload.get("field"))
    if field == "dport":
        return Match(proto=None if protocol == "th" else protocol, ports=found)
    if protocol in ("ip", "ip6") and field == side:
        return Match(family=protocol, peers=found)
    if (protocol, field) in (("ip", "protocol"), ("ip6", "nexthdr")) and len(found) == 1:
        return Match(family=protocol, proto=found[0])
    if protocol in ("icmp", "icmpv6"):
        family = "ip" if protocol == "icmp" else "ip6"
        return Match(family=family, proto=protocol, others=("{} {} {}".format(protocol, field, ",".join(found)),))
    return None


def _meta(key: str, found: tuple[str, ...]) -> Match | None:
    if key in _INTERFACE_KEYS:
        return Match(interfaces=found)
    if key == "l4proto" and len(found) == 1:
        return Match(proto={"ipv6-icmp": "icmpv6"}.get(found[0], found[0]))
    if key == "nfproto" and len(found) == 1:
        return Match(family={"ipv4": "ip", "ipv6": "ip6"}.get(found[0], found[0]))
    return None


def values(right: Any, sets: Mapping[str, list[Any]]) -> tuple[str, ...]:
    """Return the values of the right side as text, sets opened: `22`, `1024-2047`, `10.0.0.0/8`."""
    if isinstance(right, str) and right.startswith("@"):
        return values({"set": sets.get(right[1:], [])}, sets)
    if isinstance(right, Mapping):
        if "set" in right:
            return tuple(text for member in right["set"] for text in values(member, sets))
        if "prefix" in right:
            return ("{}/{}".format(right["prefix"]["addr"], right["prefix"]["len"]),)
        if "range" in right:
            return ("{}-{}".format(right["range"][0], right["range"][1]),)
        if "elem" in right:
            return values(right["elem"]["val"], sets)
        return (json.dumps(right, sort_keys=True),)
    if isinstance(right, (list, tuple)):
        return tuple(text for member in right for text in values(member, sets))
    return (str(right),)


def reachable(match: Match) -> Match:
    """Return the match with address lists that mean everyone made None."""
    if match.peers and any(peer.endswith("/0") for peer in match.peers):
        return replace(match, peers=None)
    return match


def rule_text(expressions: Sequence[Mapping[str, Any]]) -> str:
    """Return a rule as a person would write it, near to nft's own text."""
    return " ".join(_statement(expression) for expression in expressions)


def _statement(expression: Mapping[str, Any]) -> str:
    for name, body in expression.items():
        if name == "match":
            return _match_text(body)
        if name in ("jump", "goto"):
            return "{} {}".format(name, body["target"])
        if name == "limit":
            return "limit rate {}{}/{}".format("over " if body.get("inv") else "", body.get("rate"), body.get("per"))
        if name == "log":
            return "log prefix {}".format(json.dumps((body or {}).get("prefix", "")))
        if name == "vmap":
            return "{} vmap {}".format(_left(body["key"]), json.dumps(body["data"], sort_keys=True))
        return str(name)
    return ""


def _match_text(match: Mapping[str, Any]) -> str:
    found = values(match.get("right"), {})
    if isinstance(match.get("right"), str) and str(match["right"]).startswith("@"):
        found = (str(match["right"]),)
    operator = "" if match.get("op") in ("==", "in") else "{} ".format(match.get("op"))
    text = found[0] if len(found) == 1 else "{{ {} }}".format(", ".join(found))
    return "{} {}{}".format(_left(match.get("left")), operator, text)


def _left(left: Any) -> str:
    if isinstance(left, Mapping):
        if "payload" in left and "protocol" in left["payload"]:
            return "{} {}".format(left["payload"]["protocol"], left["payload"]["field"])
        if "meta" in left:
            return str(left["meta"].get("key"))
        if "ct" in left:
            return "ct {}".format(left["ct"].get("key"))
    return json.dumps(left, sort_keys=True)
