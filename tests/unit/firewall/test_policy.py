# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A site's rules: what is meant is checked, and what cannot be meant is named."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.firewall.policy import PolicyError, addresses, policy, ports


def test_ports_that_touch_or_overlap_are_one_range() -> None:
    assert ports([443, "8000-8010", "8005-8020", 8021], "here") == ((443, 443), (8000, 8021))


def test_networks_inside_others_are_left_out_because_nft_refuses_overlaps() -> None:
    assert addresses(["10.1.0.0/16", "10.0.0.0/8", "fd00::1", "192.0.2.7"], "here") == (
        "10.0.0.0/8",
        "192.0.2.7",
        "fd00::1",
    )


def test_a_rule_for_groups_has_the_addresses_of_their_members() -> None:
    rules = [{"name": "web", "ports": [80], "groups": ["gateway", "store"], "sources": ["192.0.2.1"]}]
    made = policy(rules, {"gateway": ["198.18.0.2"], "store": []})
    assert made.rules[0].peers == ("192.0.2.1", "198.18.0.2")


def test_a_rule_whose_groups_are_empty_lets_nobody_in_and_never_everybody() -> None:
    assert policy([{"name": "web", "ports": [80], "groups": ["gateway"]}], {"gateway": []}).rules == ()


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"ports": [80]}, "has the name ''"),
        ({"name": 'a" accept', "ports": [80]}, "wanted letters"),
        ({"name": "web", "port": 80}, "did you mean ports"),
        ({"name": "web"}, "names no ports"),
        ({"name": "web", "ports": [0]}, "port 0; wanted 1 to 65535"),
        ({"name": "web", "ports": ["90-80"]}, "'90-80'"),
        ({"name": "web", "proto": "esp", "ports": [1]}, "esp has none"),
        ({"name": "web", "proto": "htcp", "ports": [1]}, "wanted one of tcp"),
        ({"name": "web", "ports": [80], "sources": ["gateway.example"]}, "names are not resolved"),
        ({"name": "web", "ports": [80], "sources": "10.0.0.1"}, "wanted a list of addresses"),
        ({"name": "web", "ports": [80], "destinations": ["10.0.0.1"]}, "wanted sources"),
        ({"name": "web", "ports": [80], "direction": "forward"}, "wanted input or output"),
        ({"name": "web", "ports": [80], "interfaces": ["eth0 accept"]}, "wanted a name such as eth0"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_an_error_that_names_it(rule: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError, match=message.replace("(", r"\(")):
        policy([rule], {})


def test_a_filter_without_an_ssh_port_is_refused() -> None:
    with pytest.raises(PolicyError, match="no SSH port"):
        policy([], {}, ssh_ports=[])
