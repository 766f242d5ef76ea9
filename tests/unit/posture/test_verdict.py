# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Figures and exit code."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture import verdict
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import SEVERITIES, STATES
from hypothesis import given
from hypothesis import strategies as st


def result(state: str, severity: str = "high") -> dict[str, Any]:
    return {"id": "x", "state": state, "severity": severity}


def host(*results: dict[str, Any], state: str = "measured") -> dict[str, Any]:
    figures = {"coverage": verdict.coverage(results), "results": list(results)}
    return {"name": "gpu1", "state": state, "reason": "ssh: timed out", **figures}


def test_the_score_weighs_by_severity_and_counts_only_what_was_decided() -> None:
    results = [
        result("pass", "critical"),
        result("fail", "high"),
        result("error", "critical"),
        result("waived", "critical"),
    ]
    assert verdict.score(results) == 66.7
    assert verdict.score([result("pass", "info")]) is None
    assert verdict.score([]) is None


def test_coverage_is_what_was_decided_of_what_applies() -> None:
    results = [result("pass"), result("fail"), result("unknown"), result("waived"), result("not_applicable")]
    assert verdict.coverage(results) == 75.0
    assert verdict.coverage([result("not_applicable")]) is None


@pytest.mark.parametrize(
    ("hosts", "code"),
    [
        ([host(result("pass"))], 0),
        ([host(result("pass"), result("waived", "critical"))], 0),
        ([host(result("pass"), result("fail", "medium"))], 0),
        ([host(result("pass"), result("error", "medium"))], 0),
        ([host(result("pass"), result("fail"))], 1),
        ([host(result("pass"), result("error"))], 2),
        ([host(result("pass"), result("unknown", "critical"))], 2),
        ([host(result("pass"), result("conflict"))], 2),
        ([host(result("fail"), result("error"))], 1),
        ([host(result("pass")), host(state="unreachable")], 2),
        ([host(result("fail")), host(state="unreachable")], 1),
        ([host(state="failed")], 2),
        ([host(result("not_applicable"))], 2),
        ([host()], 2),
        ([], 2),
    ],
)
def test_the_exit_code(hosts: list[dict[str, Any]], code: int) -> None:
    told = verdict.verdict(hosts, "high", min_coverage=0)
    assert told["exit_code"] == code
    assert told["state"] == {0: "pass", 1: "fail", 2: "undecided"}[code]
    assert bool(told["reasons"]) == (code != 0)


def test_an_unknown_threshold_is_refused() -> None:
    with pytest.raises(ValueError, match="hgih"):
        verdict.verdict([], "hgih")


RESULTS = st.lists(st.builds(result, st.sampled_from(STATES), st.sampled_from(SEVERITIES)), max_size=8)


@given(RESULTS, st.sampled_from(SEVERITIES))
def test_taking_away_a_pass_never_makes_the_verdict_better(results: list[dict[str, Any]], fail_on: str) -> None:
    worse = [{**one, "state": "error"} if one["state"] == "pass" else one for one in results]
    codes = [verdict.verdict([host(*some)], fail_on)["exit_code"] for some in (results, worse)]
    assert codes[0] != 2 or codes[1] == 2
    assert codes[0] != 1 or codes[1] == 1


@given(RESULTS)
def test_figures_are_percentages(results: list[dict[str, Any]]) -> None:
    for figure in (verdict.score(results), verdict.coverage(results)):
        assert figure is None or 0 <= figure <= 100


def test_an_expired_waiver_fails_the_run_even_when_its_control_passes() -> None:
    waiver = {"control": "RMP-SSH-003", "owner": "ops", "expires": "2026-01-01"}
    passing = [host(result("pass", "high"))]
    assert verdict.verdict(passing, "high", [{**waiver, "expired": False}])["exit_code"] == 0
    told = verdict.verdict(passing, "high", [{**waiver, "expired": True}])
    assert (told["state"], told["exit_code"]) == ("fail", 1)
    assert told["reasons"] == ["the waiver of RMP-SSH-003 by ops expired on 2026-01-01"]


def test_a_good_score_over_too_few_controls_is_undecided() -> None:
    results = [result("pass")] * 8 + [result("manual")] * 2
    told = verdict.verdict([host(*results)], "high")
    assert (told["state"], told["exit_code"]) == ("undecided", 2)
    assert "80.0 % of the applicable controls of" in told["reasons"][0]
    assert verdict.verdict([host(*results)], "high", min_coverage=80)["exit_code"] == 0
