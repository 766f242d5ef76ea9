# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Layers merge key by key or by name, and a bad layer is named."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rampart.fleet.plugins.filter.layered import FilterModule
from hypothesis import given
from hypothesis import strategies as st

layered = FilterModule().filters()["layered"]
KEYS = st.dictionaries(st.sampled_from("abcd"), st.one_of(st.none(), st.integers()), max_size=4)


def test_later_layers_win_and_null_removes_a_key() -> None:
    layers = [{"a": 1, "b": 1, "c": 1}, {"a": 2}, {"b": None}, {}, {"d": 4}]
    assert layered(layers) == {"a": 2, "c": 1, "d": 4}


def test_dictionaries_are_not_merged_deep() -> None:
    assert layered([{"a": {"x": 1, "y": 2}}, {"a": {"x": 3}}]) == {"a": {"x": 3}}


def test_a_removed_key_can_come_back() -> None:
    assert layered([{"a": 1}, {"a": None}, {"a": 3}]) == {"a": 3}


def test_lists_merge_by_name_and_keep_their_order() -> None:
    layers = [
        [{"name": "ssh", "port": 22}, {"name": "metrics", "port": 9100}, {"name": "ntp", "port": 123}],
        {},
        [{"name": "ssh", "port": 2222}, {"name": "vllm", "port": 8000}],
        [],
        [{"name": "metrics", "state": "absent"}],
    ]
    assert layered(layers) == [
        {"name": "ssh", "port": 2222},
        {"name": "ntp", "port": 123},
        {"name": "vllm", "port": 8000},
    ]


def test_an_item_keeps_the_keys_that_a_later_layer_does_not_name() -> None:
    layers = [[{"name": "ssh", "port": 22, "proto": "tcp"}], [{"name": "ssh", "port": 2222}]]
    assert layered(layers) == [{"name": "ssh", "port": 2222, "proto": "tcp"}]


@pytest.mark.parametrize(("layers", "empty"), [([{}, {}], {}), ([[], {}], []), ([None, []], {}), ([], {})])
def test_empty_layers_give_an_empty_value_of_the_first_kind(layers: list[Any], empty: Any) -> None:
    assert layered(layers) == empty


@pytest.mark.parametrize(
    ("layers", "parts"),
    [
        ([{}, {"a": 1}, [{"name": "x"}], {}, {}], ["layer 'site' is a list", "layer 'mode' is a dictionary"]),
        ([{"a": 1}, "b"], ["layer 2 of 2 is a string", "'b'"]),
        ([[{"name": "x"}], [{"port": 1}]], ["layer 2 of 2, item 1 has no name", "'port': 1"]),
        ([[{"name": "x"}, "y"]], ["layer 1 of 1, item 2 is a string", "'y'"]),
        ([[{"name": "x"}, {"name": "x"}]], ["layer 1 of 1 has the item 'x' twice"]),
        ({"a": 1}, ["wants a list of layers, found a dictionary"]),
        ("text", ["wants a list of layers, found a string"]),
    ],
)
def test_a_bad_layer_is_named(layers: Any, parts: list[str]) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        layered(layers)
    assert all(part in str(caught.value) for part in parts)


@given(st.lists(KEYS, max_size=5))
def test_each_key_has_the_last_value_that_any_layer_gave_it(layers: list[dict[str, int | None]]) -> None:
    expected: dict[str, int] = {}
    for key in "abcd":
        given_values = [layer[key] for layer in layers if key in layer]
        if given_values and given_values[-1] is not None:
            expected[key] = given_values[-1]
    assert layered(layers) == expected
