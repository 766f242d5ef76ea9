# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A list of shell patterns matches what fnmatch does, one by one."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.patterns import any_of
from hypothesis import given
from hypothesis import strategies as st

WORDS = st.text("ab.*?[]!", max_size=6)


@given(st.lists(WORDS, max_size=4), WORDS)
def test_it_matches_what_fnmatch_matches(patterns: list[str], name: str) -> None:
    assert any_of(patterns)(name) == any(fnmatchcase(name, pattern) for pattern in patterns)


@pytest.mark.parametrize(
    ("patterns", "name", "wanted"),
    [
        ([], "ssh.service", False),
        (["ssh.service"], "ssh.service", True),
        (["nfs*"], "nfs-server.service", True),
        (["*.socket", "x"], "ssh.socket", True),
        (["*.socket", "x"], "ssh.socket.d", False),
        (["user@[0-9]*.service"], "user@1000.service", True),
        (["a*"], "b\na", False),
    ],
)
def test_names_beginnings_and_patterns(patterns: list[str], name: str, wanted: bool) -> None:
    assert any_of(patterns)(name) is wanted
