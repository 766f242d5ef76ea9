# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The closed set of operators, and the order of Debian versions."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.ops import OperatorError, operators
from ansible_collections.rampart.fleet.plugins.module_utils.posture.versions import at_least


@pytest.mark.parametrize(
    ("op", "observed", "wanted", "answer"),
    [
        ("eq", 1, 1, True),
        ("eq", True, 1, False),
        ("eq", 0, False, False),
        ("eq", "1", 1, False),
        ("eq", [1, {"a": True}], [1, {"a": 1}], False),
        ("ne", True, 1, True),
        ("in", "no", ["no", "prohibit-password"], True),
        ("in", True, [1], False),
        ("not_in", "yes", ["no"], True),
        ("subset", ["a"], ["a", "b"], True),
        ("subset", [], ["a"], True),
        ("subset", ["a", "c"], ["a", "b"], False),
        ("superset", ["a", "b"], ["a"], True),
        ("superset", ["b"], ["a"], False),
        ("contains", "abc", "b", True),
        ("contains", ["nosuid"], "nosuid", True),
        ("contains", {"k": 1}, "k", True),
        ("not_contains", ["x"], "y", True),
        ("regex_full", "900", "[1-9][0-9]{0,2}", True),
        ("regex_full", "9000", "[1-9][0-9]{0,2}", False),
        ("regex_full", "a\n", "a", False),
        ("not_regex_full", "ab", "a", True),
        ("ge", 2, 1, True),
        ("ge", "10", 9, True),
        ("le", 4.5, 4, False),
        ("version_ge", "5.2.15-2+b8", "5.2.15-2", True),
        ("mode_at_most", "0640", "0640", True),
        ("mode_at_most", "0600", "0640", True),
        ("mode_at_most", "0604", "0640", False),
        ("mode_at_most", "4755", "0755", False),
        ("empty", [], None, True),
        ("empty", None, None, True),
        ("not_empty", ["a"], None, True),
    ],
)
def test_an_operator_answers(op: str, observed: Any, wanted: Any, answer: bool) -> None:
    assert operators()[op](observed, wanted) is answer


@pytest.mark.parametrize(
    ("op", "observed", "wanted"),
    [
        ("ge", "unlimited", 1),
        ("le", True, 1),
        ("ge", None, 1),
        ("subset", "text", ["a"]),
        ("mode_at_most", "rw", "0640"),
        ("regex_full", ["a"], "a"),
        ("version_ge", "x:1", "1"),
        ("empty", 0, None),
    ],
)
def test_what_an_operator_cannot_judge_is_no_answer(op: str, observed: Any, wanted: Any) -> None:
    with pytest.raises(OperatorError):
        operators()[op](observed, wanted)


# Each is older than the next: deb-version(7), and the cases of dpkg's own test of its comparison.
ORDER = [
    "1.0~~",
    "1.0~~a",
    "1.0~",
    "1.0~rc1-1",
    "1.0",
    "1.0-0.1",
    "1.0-1",
    "1.0-1+b1",
    "1.0-1+deb12u1",
    "1.0a",
    "1.0+x",
    "1.1",
    "1.10",
    "1:0.1",
]


@pytest.mark.parametrize(("older", "newer"), list(pairwise(ORDER)))
def test_versions_have_the_order_of_dpkg(older: str, newer: str) -> None:
    assert at_least(newer, older)
    assert not at_least(older, newer)


@pytest.mark.parametrize("version", ORDER)
def test_a_version_is_at_least_itself(version: str) -> None:
    assert at_least(version, version)
    assert at_least(version, f"0:{version}" if ":" not in version else version)
