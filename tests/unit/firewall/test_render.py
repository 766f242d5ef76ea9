# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The rendered table, as a real kernel understands it."""

from __future__ import annotations

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.firewall.accepts import accepts, admits
from ansible_collections.rampart.fleet.plugins.module_utils.firewall.policy import Policy, policy
from ansible_collections.rampart.fleet.plugins.module_utils.firewall.render import table, transaction
from ansible_collections.rampart.fleet.plugins.module_utils.firewall.ruleset import comparable
from ansible_collections.rampart.fleet.plugins.module_utils.firewall.text import TextError, only_table

from . import kernel

WEB = {"name": "web", "ports": [443, "8000-8010"], "sources": ["10.0.0.0/8", "fd00::/8"], "interfaces": ["eth*", "br0"]}
DNS = {"name": "dns", "proto": "udp", "ports": [53], "destinations": ["10.0.0.1"], "direction": "output"}
OTHER = "table ip docker { chain nat { type nat hook postrouting priority 100; policy accept; }; }"


def services(made: Policy, hook: str, scope: str) -> set[str]:
    ways = accepts(kernel.loaded(transaction(table(made))), hook)
    return {way.service for way in ways if way.scope == scope}


def test_the_text_is_one_table_and_nothing_else() -> None:
    only_table(table(policy([WEB, DNS], {})), "inet", "rampart")


@pytest.mark.parametrize(
    "text",
    [
        "flush ruleset\ntable inet rampart { }",
        "table inet rampart { }\nflush ruleset",
        "table inet docker { }",
        "table inet rampart { chain a {",
        'table inet rampart { chain a { comment "}" } } delete table ip nat',
        "",
    ],
)
def test_text_that_means_more_than_the_own_table_is_refused(text: str) -> None:
    with pytest.raises(TextError):
        only_table(text, "inet", "rampart")


def test_comments_and_quoted_braces_are_no_structure() -> None:
    only_table('# flush ruleset }\ntable inet rampart { chain a { comment "}" } # }\n}', "inet", "rampart")


@kernel.needs_kernel
def test_only_ssh_and_icmp_are_open_to_the_world() -> None:
    assert services(policy([WEB], {}), "input", "world") == {"tcp/22", "icmp/*", "icmpv6/*"}


@kernel.needs_kernel
def test_a_rule_is_for_its_sources_interfaces_and_ports_in_both_families() -> None:
    ways = [way for way in accepts(kernel.loaded(transaction(table(policy([WEB], {}))))) if way.interfaces]
    found = {(way.port, way.peers, way.interfaces) for way in ways if way.interfaces != ("lo",)}
    assert found == {
        (port, (peer,), (interface,))
        for port in ("443", "8000-8010")
        for peer in ("10.0.0.0/8", "fd00::/8")
        for interface in ("eth*", "br0")
    }


@kernel.needs_kernel
def test_management_sources_limit_ssh() -> None:
    ways = accepts(kernel.loaded(transaction(table(policy([], {}, management=["198.51.100.0/24"])))))
    assert admits(ways, "198.51.100.7", 22)
    assert not admits(ways, "203.0.113.7", 22)
    assert not admits(ways, "198.51.100.7", 2222)
    assert not admits(ways, "2001:db8::1", 22)


@kernel.needs_kernel
def test_a_rule_on_one_interface_is_no_way_in_for_the_operator() -> None:
    rule = {"name": "ssh-fabric", "ports": [22], "interfaces": ["fabric0"]}
    ways = accepts(kernel.loaded(transaction(table(policy([rule], {}, management=["198.51.100.1"])))))
    assert not admits(ways, "203.0.113.7", 22)


@kernel.needs_kernel
def test_quarantine_lets_nothing_out_but_what_is_declared() -> None:
    made = policy([DNS], {}, output="drop")
    assert services(made, "output", "world") == {"icmpv6/*"}
    assert services(made, "output", "scoped") == {"udp/53"}


@kernel.needs_kernel
def test_an_open_output_and_an_open_forward_are_seen_as_open() -> None:
    made = policy([], {}, forward="accept")
    assert services(made, "output", "world") == {"*/*"}
    assert services(made, "forward", "world") == {"*/*"}
    assert services(policy([], {}), "forward", "world") == set()


@kernel.needs_kernel
def test_the_transaction_replaces_its_own_table_and_no_other() -> None:
    first, second = policy([WEB], {}), policy([], {})
    found = kernel.loaded(OTHER, transaction(table(first)), transaction(table(second)))
    assert {body["name"] for body in found.of("table")} == {"docker", "rampart"}
    assert comparable(found) == comparable(kernel.loaded(OTHER, transaction(table(second))))


@kernel.needs_kernel
def test_a_changed_rule_makes_another_table() -> None:
    one = kernel.loaded(transaction(table(policy([WEB], {}))))
    other = kernel.loaded(transaction(table(policy([{**WEB, "ports": [443]}], {}))))
    assert comparable(one) != comparable(other)
