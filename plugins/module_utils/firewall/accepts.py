# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What a ruleset lets in: every way to an `accept`, as protocol, port, peers and interface.

The answer is an upper bound: a rule that drops some packets before an accepting rule is not subtracted, and a
condition that is not understood does not narrow. So nothing that is open can be missing. A packet must pass every
base chain of a hook; the chain that lets the least in bounds them all.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.firewall.expressions import (
    Match,
    keyed,
    matches,
    reachable,
    rule_text,
    values,
    verdict,
)
from ansible_collections.rampart.fleet.plugins.module_utils.firewall.ruleset import Ruleset

_REPLIES = {"established", "related"}
_DEPTH = 16


@dataclass(frozen=True)
class Accept:
    """One way in. `port` is a number, `low-high` or None for any; `peers` and `interfaces` None for any."""

    family: str | None
    proto: str | None
    port: str | None
    peers: tuple[str, ...] | None
    interfaces: tuple[str, ...] | None
    table: str
    chain: str
    text: str

    @property
    def scope(self) -> str:
        """Return `loopback`, `scoped` (named peers or interfaces) or `world`."""
        if self.interfaces == ("lo",):
            return "loopback"
        return "world" if self.peers is None and self.interfaces is None else "scoped"

    @property
    def service(self) -> str:
        """Return protocol and port, such as `tcp/22`, `icmp/*` or `*/*`."""
        return "{}/{}".format(self.proto or "*", self.port or "*")

    @property
    def width(self) -> int:
        """Return how many ports this opens; 65536 when any, 1 for a protocol without ports."""
        if self.port is None:
            return 1 if self.proto in ("icmp", "icmpv6", "igmp", "esp", "ah", "vrrp") else 65536
        low, _unused, high = self.port.partition("-")
        return int(high) - int(low) + 1 if high and low.isdigit() and high.isdigit() else 1

    def as_json(self) -> dict[str, Any]:
        """Return the value of the probe `open_ports`."""
        port: Any = int(self.port) if self.port is not None and self.port.isdigit() else self.port
        return {
            "proto": self.proto or "any", "port": port, "sources": list(self.peers or ()),
            "interface": ",".join(self.interfaces or ()) or None, "family": self.family or "both",
            "scope": self.scope, "service": self.service, "width": self.width,
            "table": self.table, "chain": self.chain, "rule": self.text,
        }  # fmt: skip


def accepts(ruleset: Ruleset, hook: str = "input") -> list[Accept]:
    """Return what the ruleset accepts on a hook (`input`, `output` or `forward`), for both address families."""
    ways: list[Accept] = []
    for family in ("ip", "ip6"):
        for way in _of_family(ruleset, hook, family):
            if way not in ways:
                ways.append(way)
    return ways


def admits(ways: list[Accept], peer: str, port: int, proto: str = "tcp") -> bool:
    """Say whether a new connection from the peer's address to a local port has a way in over every interface."""
    address = ipaddress.ip_address(peer.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    family = "ip" if address.version == 4 else "ip6"
    return any(
        way.family in (None, family)
        and way.proto in (None, proto)
        and way.interfaces is None
        and _holds_port(way.port, port)
        and (way.peers is None or any(_holds_address(text, address) for text in way.peers))
        for way in ways
    )


def _of_family(ruleset: Ruleset, hook: str, family: str) -> list[Accept]:
    best: list[Accept] | None = None
    for chain in ruleset.base_chains(hook):
        if chain["family"] not in (family, "inet") or chain.get("type", "filter") != "filter":
            continue
        ways = [way for way in _of_chain(ruleset, chain, hook) if way.family in (None, family)]
        if best is None or _openness(ways) < _openness(best):
            best = ways
    if best is None:
        return [Accept(family, None, None, None, None, "", "", "no base chain on this hook")]
    return best


def _openness(ways: list[Accept]) -> tuple[int, int]:
    """Order chains by how much they let in from everywhere, then by the number of ways."""
    return sum(way.width for way in ways if way.scope == "world"), len(ways)


def _of_chain(ruleset: Ruleset, chain: Mapping[str, Any], hook: str) -> list[Accept]:
    walk = _Walk(ruleset, chain["family"], chain["table"], "daddr" if hook == "output" else "saddr")
    ways = list(walk.chain(chain["name"], Match(), 0))
    if not walk.closed and chain.get("policy", "accept") == "accept":
        family = None if chain["family"] == "inet" else chain["family"]
        ways.append(Accept(family, None, None, None, None, chain["table"], chain["name"], "policy accept"))
    return ways


class _Walk:
    """A walk through a base chain and the chains it jumps to; `closed` once a rule ends the walk of the base chain
    for all packets."""

    def __init__(self, ruleset: Ruleset, family: str, table: str, side: str) -> None:
        self.ruleset, self.family, self.table, self.side = ruleset, family, table, side
        self.closed = False
        self.sets = {
            body["name"]: list(body.get("elem", []))
            for body in [*ruleset.of("set"), *ruleset.of("map")]
            if (body["family"], body["table"]) == (family, table)
        }

    def chain(self, name: str, given: Match, depth: int) -> Iterator[Accept]:
        """Yield the ways in through one chain, of packets that meet `given`."""
        if depth > _DEPTH:
            return
        for rule in self.ruleset.rules_of(self.family, self.table, name):
            expressions = rule.get("expr", [])
            own = matches(expressions, self.sets, self.side)
            yield from self.rule(name, expressions, given.both(own), depth)
            if own.unconditional and verdict(expressions) in ("accept", "drop", "reject", "return", "goto"):
                self.closed = self.closed or (depth == 0 and verdict(expressions) != "goto")
                return

    def rule(self, name: str, expressions: list[Any], match: Match, depth: int) -> Iterator[Accept]:
        """Yield the ways in through one rule whose conditions, with those of the way to it, are `match`."""
        for expression in expressions:
            if "accept" in expression or "queue" in expression:
                yield from self.ways(name, match, rule_text(expressions))
            elif "jump" in expression or "goto" in expression:
                target = (expression.get("jump") or expression.get("goto"))["target"]
                yield from self.chain(target, match, depth + 1)
            elif "vmap" in expression:
                yield from self.verdict_map(name, expression["vmap"], match, rule_text(expressions), depth)

    def verdict_map(self, name: str, vmap: Mapping[str, Any], match: Match, text: str, depth: int) -> Iterator[Accept]:
        """Yield the ways in through the members of a verdict map."""
        data = vmap.get("data")
        members = self.sets.get(data[1:], []) if isinstance(data, str) else (data or {}).get("set", [])
        for key, outcome in members:
            found = keyed(vmap.get("key"), values(key, self.sets), self.side) or Match(others=(text,))
            if "accept" in outcome:
                yield from self.ways(name, match.both(found), text)
            elif "jump" in outcome or "goto" in outcome:
                target = (outcome.get("jump") or outcome.get("goto"))["target"]
                yield from self.chain(target, match.both(found), depth + 1)

    def ways(self, name: str, match: Match, text: str) -> Iterator[Accept]:
        """Yield one way for each port; none for replies to what was accepted before, nor for an empty set."""
        if match.states is not None and set(match.states) <= _REPLIES:
            return
        if () in (match.ports, match.peers, match.interfaces):
            return
        match = reachable(match)
        for port in match.ports or (None,):
            yield Accept(match.family, match.proto, port, match.peers, match.interfaces, self.table, name, text)


def _holds_port(text: str | None, port: int) -> bool:
    if text is None:
        return True
    low, _unused, high = text.partition("-")
    if not low.isdigit():
        return False
    return int(low) <= port <= int(high or low)


def _holds_address(text: str, address: Any) -> bool:
    low, dash, high = text.partition("-")
    if dash:
        first, last = ipaddress.ip_address(low), ipaddress.ip_address(high)
        return bool(first.version == address.version and first <= address <= last)
    network = ipaddress.ip_network(text, strict=False)
    return bool(network.version == address.version and address in network)
