# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A host's packet filter as data: what a site writes in its rules, checked, with every error naming the rule and the
way out."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PROTOCOLS = ("tcp", "udp", "sctp", "esp", "ah", "gre", "vrrp", "igmp")
_WITH_PORTS = ("tcp", "udp", "sctp")
_KEYS = ("name", "proto", "ports", "sources", "destinations", "groups", "interfaces", "direction", "state")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,60}")
_INTERFACE = re.compile(r"[A-Za-z0-9_.:@-]{1,15}|[A-Za-z0-9_.:@-]{1,14}\*")


class PolicyError(ValueError):
    """A rule that cannot be meant; the message names the rule, what was found and what is wanted."""


@dataclass(frozen=True)
class Rule:
    """One thing that is let through. `ports` are `(low, high)`; an empty tuple of peers or interfaces means any.

    `peers` are sources of an input rule and destinations of an output rule.
    """

    name: str
    proto: str
    ports: tuple[tuple[int, int], ...]
    peers: tuple[str, ...]
    interfaces: tuple[str, ...]
    direction: str = "input"


@dataclass(frozen=True)
class Policy:
    """The whole filter of a host; `log_rate` is in log lines a minute, 0 for none."""

    rules: tuple[Rule, ...]
    ssh_ports: tuple[tuple[int, int], ...] = ((22, 22),)
    management: tuple[str, ...] = ()
    forward: str = "drop"
    output: str = "accept"
    log_rate: int = 10


def policy(
    rules: Sequence[Mapping[str, Any]],
    members: Mapping[str, Sequence[str]],
    ssh_ports: Sequence[Any] = (22,),
    management: Sequence[str] = (),
    forward: str = "drop",
    output: str = "accept",
    log_rate: int = 10,
) -> Policy:
    """Return the checked policy; `members` has the addresses of the hosts of each inventory group that a rule may name.

    A rule whose groups have no member admits nobody and is left out. Raises PolicyError.
    """
    for name, value in (("forward", forward), ("output", output)):
        if value not in ("accept", "drop"):
            raise PolicyError(f"the policy of chain {name} is {value!r}; wanted accept or drop")
    if log_rate < 0:
        raise PolicyError(f"the log rate is {log_rate} lines a minute; wanted 0 (no log) or more")
    checked = [rule(entry, members) for entry in rules]
    if not ssh_ports:
        raise PolicyError("there is no SSH port; wanted at least one, or the next run could not reach the host")
    return Policy(
        rules=tuple(one for one in checked if one is not None),
        ssh_ports=ports(ssh_ports, "SSH ports"),
        management=addresses(management, "management sources"),
        forward=forward,
        output=output,
        log_rate=log_rate,
    )


def rule(entry: Mapping[str, Any], members: Mapping[str, Sequence[str]]) -> Rule | None:
    """Return one checked rule, or None when it names groups and none of them has a member. Raises PolicyError."""
    name = str(entry.get("name", ""))
    if not _NAME.fullmatch(name):
        raise PolicyError(f"a rule has the name {name!r}; wanted letters, digits, and . _ - (it becomes the comment)")
    where = f"rule '{name}'"
    for key in entry:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, 1)
            hint = f"; did you mean {near[0]}?" if near else "; it may have {}".format(", ".join(_KEYS))
            raise PolicyError(f"{where} has the unknown key '{key}'{hint}")
    direction = str(entry.get("direction", "input"))
    if direction not in ("input", "output"):
        raise PolicyError(f"{where} has the direction {direction!r}; wanted input or output")
    peers = _peers(entry, direction, members, where)
    if peers is None:
        return None
    proto = str(entry.get("proto", "tcp"))
    return Rule(name, proto, _rule_ports(entry, proto, where), peers, _interfaces(entry, where), direction)


def ports(found: Sequence[Any], where: str) -> tuple[tuple[int, int], ...]:
    """Return ports such as `22` or `"1024-2047"` as sorted ranges that do not overlap. Raises PolicyError."""
    ranges = sorted(_port_range(text, where) for text in found)
    merged: list[tuple[int, int]] = []
    for low, high in ranges:
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def addresses(found: Sequence[Any], where: str) -> tuple[str, ...]:
    """Return addresses and networks in canonical text, those inside others left out. Raises PolicyError."""
    if isinstance(found, str):
        raise PolicyError(f"{where} is the text {found!r}; wanted a list of addresses")
    networks = [_network(text, where) for text in found]
    result: list[str] = []
    for version in (4, 6):
        same: list[Any] = [network for network in networks if network.version == version]
        for network in ipaddress.collapse_addresses(same):
            single = network.prefixlen == network.max_prefixlen
            result.append(str(network.network_address) if single else str(network))
    return tuple(result)


def _rule_ports(entry: Mapping[str, Any], proto: str, where: str) -> tuple[tuple[int, int], ...]:
    if proto not in PROTOCOLS:
        raise PolicyError("{} has the protocol {!r}; wanted one of {}".format(where, proto, ", ".join(PROTOCOLS)))
    found = entry.get("ports", [])
    if isinstance(found, (str, int)):
        found = [found]
    if proto in _WITH_PORTS and not found:
        raise PolicyError(f"{where} names no ports; wanted a list such as [443, '8000-8010']")
    if proto not in _WITH_PORTS and found:
        raise PolicyError(f"{where} names ports, but {proto} has none; leave the ports out")
    return ports(found, where)


def _peers(
    entry: Mapping[str, Any], direction: str, members: Mapping[str, Sequence[str]], where: str
) -> tuple[str, ...] | None:
    key, other = ("sources", "destinations") if direction == "input" else ("destinations", "sources")
    if entry.get(other):
        raise PolicyError(f"{where} is for {direction} and names {other}; wanted {key}")
    found = [*_list(entry, key, where, "addresses")]
    groups = _list(entry, "groups", where, "inventory groups")
    for group in groups:
        found.extend(members.get(group, ()))
    if groups and not found:
        return None
    return addresses(found, where)


def _list(entry: Mapping[str, Any], key: str, where: str, what: str) -> Sequence[Any]:
    found = entry.get(key) or []
    if isinstance(found, str) or not isinstance(found, Sequence):
        raise PolicyError(f"{where} has {key}: {found!r}; wanted a list of {what}")
    return found


def _interfaces(entry: Mapping[str, Any], where: str) -> tuple[str, ...]:
    found = _list(entry, "interfaces", where, "interfaces")
    for name in found:
        if not isinstance(name, str) or not _INTERFACE.fullmatch(name):
            raise PolicyError(f"{where} names the interface {name!r}; wanted a name such as eth0 or eth*")
    return tuple(sorted(set(found)))


def _port_range(text: Any, where: str) -> tuple[int, int]:
    low, dash, high = str(text).partition("-")
    if low.isdigit() and (high.isdigit() or not dash):
        first, last = int(low), int(high or low)
        if 1 <= first <= last <= 65535:
            return first, last
    raise PolicyError(f"{where} has the port {text!r}; wanted 1 to 65535, or a range such as 8000-8010")


def _network(text: Any, where: str) -> Any:
    try:
        return ipaddress.ip_network(str(text), strict=False)
    except ValueError:
        raise PolicyError(
            f"{where} names {text!r}; wanted an IPv4 or IPv6 address or network "
            "(names are not resolved: a filter must not wait for DNS)"
        ) from None
