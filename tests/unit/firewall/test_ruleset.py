# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Listings of nft: equal in meaning or not, and what they let in."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.firewall.accepts import accepts, admits
from ansible_collections.rampart.fleet.plugins.module_utils.firewall.ruleset import (
    NftFormatError,
    Ruleset,
    comparable,
    parse,
)

CHAIN = {"family": "inet", "table": "t", "name": "in", "handle": 1, "type": "filter", "hook": "input", "prio": 0}
PLACE = {"family": "inet", "table": "t", "chain": "in"}


def dport(right: Any) -> dict[str, Any]:
    return {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": right}}


def saddr(right: Any, operator: str = "==") -> dict[str, Any]:
    return {"match": {"op": operator, "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": right}}


def state(right: Any) -> dict[str, Any]:
    return {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": right}}


def listing(*rules: list[Any], policy: str = "drop", more: tuple[Any, ...] = ()) -> Ruleset:
    members: list[Any] = [{"metainfo": {}}, {"table": {"family": "inet", "name": "t", "handle": 9}}]
    members += [{"chain": {**CHAIN, "policy": policy}}, *more]
    members += [{"rule": {**PLACE, "handle": number, "expr": rule}} for number, rule in enumerate(rules)]
    return parse(json.dumps({"nftables": members}))


ACCEPT: dict[str, Any] = {"accept": None}


def world(ruleset: Ruleset) -> set[str]:
    return {way.service for way in accepts(ruleset) if way.scope == "world"}


def test_counters_and_handles_do_not_make_a_difference_and_rules_do() -> None:
    one = listing([dport(22), {"counter": {"packets": 0, "bytes": 0}}, ACCEPT])
    document = copy.deepcopy({"nftables": [{kind: dict(body)} for kind, body in one.objects]})
    document["nftables"][-1]["rule"].update(
        handle=77, expr=[dport(22), {"counter": {"packets": 5, "bytes": 400}}, ACCEPT]
    )
    assert comparable(parse(json.dumps(document))) == comparable(one)
    assert comparable(listing([dport(23), {"counter": {"packets": 0, "bytes": 0}}, ACCEPT])) != comparable(one)


def test_the_order_of_rules_is_a_difference_and_the_order_in_a_set_is_none() -> None:
    a, b = [dport(22), ACCEPT], [saddr("10.0.0.1"), {"drop": None}]
    assert comparable(listing(a, b)) != comparable(listing(b, a))
    assert comparable(listing([dport({"set": [1, 2]}), ACCEPT])) == comparable(
        listing([dport({"set": [2, 1]}), ACCEPT])
    )


@pytest.mark.parametrize(("flags", "counts"), [(["dynamic"], False), (["timeout"], False), (["interval"], True)])
def test_elements_of_a_set_count_unless_it_fills_itself(flags: list[str], counts: bool) -> None:
    def with_elements(elements: list[str]) -> Ruleset:
        body = {"family": "inet", "table": "t", "name": "s", "type": "ipv4_addr", "flags": flags, "elem": elements}
        return listing(more=({"set": body},))

    same = comparable(with_elements(["10.0.0.1"])) == comparable(with_elements(["10.0.0.2"]))
    assert same is not counts


def test_policy_accept_and_no_chain_at_all_are_open() -> None:
    assert world(listing(policy="accept")) == {"*/*"}
    assert world(parse('{"nftables": []}')) == {"*/*"}


def test_a_policy_that_no_packet_reaches_does_not_open() -> None:
    assert world(listing([dport(22), ACCEPT], [{"drop": None}], policy="accept")) == {"tcp/22"}


def test_replies_are_no_way_in_but_new_packets_are() -> None:
    assert world(listing([state(["established", "related"]), ACCEPT])) == set()
    assert world(listing([state(["established", "new"]), ACCEPT])) == {"*/*"}


def test_everyone_written_as_a_network_is_everyone() -> None:
    assert world(listing([saddr({"prefix": {"addr": "0.0.0.0", "len": 0}}), dport(80), ACCEPT])) == {"tcp/80"}


def test_a_negated_source_is_still_nearly_everyone() -> None:
    assert world(listing([saddr("10.0.0.1", "!="), dport(80), ACCEPT])) == {"tcp/80"}


def test_jumps_are_followed_with_the_conditions_of_the_way() -> None:
    more = (
        {"chain": {"family": "inet", "table": "t", "name": "web", "handle": 2}},
        {"rule": {**PLACE, "chain": "web", "handle": 3, "expr": [dport({"range": [80, 90]}), ACCEPT]}},
    )
    ways = accepts(listing([saddr("10.0.0.1"), {"jump": {"target": "web"}}], more=more))
    assert [(way.service, way.peers, way.width) for way in ways] == [("tcp/80-90", ("10.0.0.1",), 11)]


def test_a_chain_that_jumps_to_itself_ends() -> None:
    assert world(listing([{"jump": {"target": "in"}}], [dport(22), ACCEPT])) == {"tcp/22"}


def test_verdict_maps_and_named_sets_are_opened() -> None:
    key = {"payload": {"protocol": "tcp", "field": "dport"}}
    vmap = {"vmap": {"key": key, "data": {"set": [[22, {"accept": None}], [23, {"drop": None}]]}}}
    peers = {"set": {"family": "inet", "table": "t", "name": "peers", "type": "ipv4_addr", "elem": ["10.0.0.9"]}}
    ways = accepts(listing([vmap], [saddr("@peers"), dport(80), ACCEPT], more=(peers,)))
    assert {(way.service, way.peers) for way in ways} == {("tcp/22", None), ("tcp/80", ("10.0.0.9",))}


def test_a_set_without_members_lets_nobody_in() -> None:
    peers = {"set": {"family": "inet", "table": "t", "name": "peers", "type": "ipv4_addr"}}
    assert accepts(listing([saddr("@peers"), dport(80), ACCEPT], more=(peers,))) == []


def test_the_strictest_chain_of_a_hook_bounds_what_comes_in() -> None:
    second = {"chain": {**CHAIN, "table": "other", "name": "open", "policy": "accept", "prio": -10}}
    assert world(listing([dport(22), ACCEPT], more=(second,))) == {"tcp/22"}


def test_a_filter_for_one_family_leaves_the_other_open() -> None:
    text = json.dumps({"nftables": [{"chain": {**CHAIN, "family": "ip", "policy": "drop"}}]})
    assert [(way.family, way.service) for way in accepts(parse(text))] == [("ip6", "*/*")]


def test_ranges_of_addresses_and_mapped_addresses_are_understood() -> None:
    ways = accepts(listing([saddr({"range": ["10.0.0.5", "10.0.0.9"]}), dport({"range": [20, 25]}), ACCEPT]))
    assert admits(ways, "10.0.0.7", 22)
    assert admits(ways, "::ffff:10.0.0.7", 22)
    assert not admits(ways, "10.0.0.10", 22)


@pytest.mark.parametrize("text", ["", "[]", '{"tables": []}', "Error: syntax"])
def test_what_is_no_listing_is_an_error_and_never_an_empty_ruleset(text: str) -> None:
    with pytest.raises(NftFormatError):
        parse(text)
