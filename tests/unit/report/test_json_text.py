# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""JSON that is written fast holds the same as any other, a member a line down to the level asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.plugin_utils.json_text import readable
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(VALUES, st.integers(0, 6))
def test_it_reads_back_as_it_was(value: Any, levels: int) -> None:
    assert json.loads(readable(value, depth=levels)) == value


@pytest.mark.parametrize(
    ("levels", "text"),
    [
        (0, '{"a": [{"b": 1}, 2], "c": {}}'),
        (1, '{\n "a": [{"b": 1}, 2],\n "c": {}\n}'),
        (2, '{\n "a": [\n  {"b": 1},\n  2\n ],\n "c": {}\n}'),
    ],
)
def test_the_upper_levels_have_a_line_for_each_member(levels: int, text: str) -> None:
    assert readable({"a": [{"b": 1}, 2], "c": {}}, depth=levels) == text
