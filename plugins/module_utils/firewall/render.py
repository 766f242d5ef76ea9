# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A policy as one nftables transaction that replaces the own table as a whole and touches no other.

An established connection is judged again with every packet that comes in, so that a tighter ruleset ends what it no
longer allows; only replies to what the host itself started pass by their state alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.rampart.fleet.plugins.module_utils.firewall.policy import Policy, Rule

TABLE = "rampart"
# RFC 4890 section 4.4: what a host must accept for IPv6 to work.
# Neighbour discovery counts only with the hop limit untouched.
_ND = "nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert"
_ICMP6_ERRORS = "destination-unreachable, packet-too-big, time-exceeded, parameter-problem"
_MLD = "mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report"
_ICMP4_ERRORS = "destination-unreachable, time-exceeded, parameter-problem"


def transaction(body: str, table: str = TABLE) -> str:
    """Return the text that replaces the table by `body` in one transaction, whether it exists or not."""
    return f"table inet {table}\ndelete table inet {table}\n{body}"


def table(policy: Policy) -> str:
    """Return the table, deterministic for a policy."""
    chains = [_chain("input", "drop", _input(policy)), _chain("forward", policy.forward, _forward(policy))]
    chains.append(_chain("output", policy.output, _output(policy)))
    return "table inet {} {{\n{}}}\n".format(TABLE, "\n".join(chains))


def _chain(hook: str, policy: str, rules: Iterator[str]) -> str:
    head = f"\t\ttype filter hook {hook} priority filter; policy {policy};\n"
    return "\tchain {} {{\n{}{}\t}}\n".format(hook, head, "".join(f"\t\t{line}\n" for line in rules))


def _input(policy: Policy) -> Iterator[str]:
    yield 'iifname "lo" accept comment "loopback"'
    yield 'ip saddr 127.0.0.0/8 drop comment "loopback-from-outside"'
    yield 'ip6 saddr ::1 drop comment "loopback-from-outside"'
    # First of what comes from outside: nothing below may shut the operator out.
    ssh = Rule("ssh", "tcp", policy.ssh_ports, policy.management, ())
    yield from _accepts(ssh, "iifname", "saddr")
    yield 'ct state invalid drop comment "invalid"'
    yield 'ct state established ct direction reply accept comment "replies"'
    yield 'ct state related accept comment "related"'
    yield f'icmp type {{ {_ICMP4_ERRORS} }} accept comment "icmp-errors"'
    yield 'icmp type echo-request limit rate 50/second burst 100 packets accept comment "ping"'
    yield f'icmpv6 type {{ {_ICMP6_ERRORS} }} accept comment "icmpv6-errors"'
    yield f'icmpv6 type {{ {_ND} }} ip6 hoplimit 255 accept comment "neighbours"'
    yield f'icmpv6 type {{ {_MLD} }} ip6 saddr fe80::/10 accept comment "multicast-listeners"'
    yield 'icmpv6 type echo-request limit rate 50/second burst 100 packets accept comment "ping"'
    for rule in policy.rules:
        if rule.direction == "input":
            yield from _accepts(rule, "iifname", "saddr")
    yield from _tail(policy, "input")


def _forward(policy: Policy) -> Iterator[str]:
    if policy.forward == "drop":
        yield from _tail(policy, "forward")


def _output(policy: Policy) -> Iterator[str]:
    if policy.output == "accept":
        return
    yield 'oifname "lo" accept comment "loopback"'
    yield 'ct state established ct direction reply accept comment "replies"'
    yield 'ct state related accept comment "related"'
    # Connection tracking that starts in the middle of an SSH connection takes the host's packet for the first one.
    yield f'tcp sport {_ports(policy.ssh_ports)} ct state established accept comment "ssh-replies"'
    yield f'icmpv6 type {{ {_ND}, {_MLD} }} accept comment "neighbours"'
    for rule in policy.rules:
        if rule.direction == "output":
            yield from _accepts(rule, "oifname", "daddr")
    yield from _tail(policy, "output")


def _tail(policy: Policy, hook: str) -> Iterator[str]:
    if policy.log_rate:
        limit = f"limit rate {policy.log_rate}/minute burst {max(5, policy.log_rate)} packets"
        yield f'{limit} log prefix "rampart-{hook}-drop " comment "log"'
    yield 'counter drop comment "dropped"'


def _accepts(rule: Rule, interface_key: str, address_field: str) -> Iterator[str]:
    what = f"meta l4proto {rule.proto}"
    if rule.ports:
        what = f"{rule.proto} dport {_ports(rule.ports)}"
    for interface in _interfaces(rule.interfaces, interface_key):
        for peers in _peers(rule.peers, address_field):
            parts = [part for part in (interface, peers, what) if part]
            yield '{} counter accept comment "{}"'.format(" ".join(parts), rule.name)


def _interfaces(names: Sequence[str], key: str) -> list[str]:
    # A wildcard cannot stand in an anonymous set on nftables before 1.0.9.
    return [f'{key} "{name}"' for name in names] or [""]


def _peers(peers: Sequence[str], field: str) -> list[str]:
    result = []
    for family in ("ip", "ip6"):
        same = [peer for peer in peers if (":" in peer) == (family == "ip6")]
        if same:
            result.append(f"{family} {field} {_set(same)}")
    return result or [""]


def _ports(ranges: Sequence[tuple[int, int]]) -> str:
    return _set([str(low) if low == high else f"{low}-{high}" for low, high in ranges])


def _set(members: Sequence[str]) -> str:
    return members[0] if len(members) == 1 else "{{ {} }}".format(", ".join(members))
