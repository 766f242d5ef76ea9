# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Exit codes: 0 good, 1 a control fails, 2 could not decide; never 0 by accident."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from rampart.runner.state import Failure, RunState
from rampart.runner.verdict import Expect, Verdict, exit_code


def verdict(code: int) -> Verdict:
    return Verdict(("pass", "fail", "undecided")[code], code, {}, Path("report"))


def state(*actions: str) -> RunState:
    return RunState(failures=[Failure("h", "s", "t", action, "p", "x") for action in actions])


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_verdict_is_the_exit_code(code: int) -> None:
    assert exit_code("successful", 0, state(), verdict(code), Expect.VERDICT) == code


def test_the_task_that_gives_the_verdict_may_fail() -> None:
    failed = state("rampart.fleet.posture_report")
    assert exit_code("failed", 2, failed, verdict(1), Expect.VERDICT) == 1


@pytest.mark.parametrize("expect", list(Expect))
def test_any_other_failure_is_undecided_however_good_the_verdict(expect: Expect) -> None:
    assert exit_code("failed", 2, state("ansible.builtin.command"), verdict(0), expect) == 2


def test_a_failure_that_the_playbook_took_over_leaves_the_decision_to_the_verdict() -> None:
    rescued = RunState(failures=[Failure("h", "s", "t", "ansible.builtin.command", "p", "x", rescued=True)])
    assert exit_code("failed", 2, rescued, verdict(2), Expect.VERDICT) == 2
    assert exit_code("failed", 2, rescued, verdict(1), Expect.VERDICT) == 1


def test_an_interrupted_run_is_undecided() -> None:
    assert exit_code("canceled", 0, state(), verdict(0), Expect.VERDICT) == 2


def test_a_run_without_the_verdict_it_should_reach_is_undecided() -> None:
    assert exit_code("successful", 0, state(), None, Expect.VERDICT) == 2
    assert exit_code("successful", 0, state(), None, Expect.REPORT) == 2
    assert exit_code("successful", 0, state(), None, Expect.TASKS) == 0
    assert exit_code("failed", 4, state(), None, Expect.TASKS) == 2


def test_an_assessment_is_good_whatever_it_found_but_not_when_it_could_not_look() -> None:
    assert exit_code("successful", 0, state(), verdict(1), Expect.REPORT) == 0
    assert exit_code("successful", 0, state(), verdict(2), Expect.REPORT) == 2


def test_only_a_report_of_this_run_is_read(tmp_path: Path) -> None:
    path = tmp_path / "posture.json"
    assert Verdict.read(tmp_path, 0) is None
    path.write_text(json.dumps({"verdict": {"state": "fail", "exit_code": 1, "score": 50.0}}))
    found = Verdict.read(tmp_path, time.time() - 60)
    assert found is not None
    assert (found.state, found.exit_code, found.raw["score"]) == ("fail", 1, 50.0)
    os.utime(path, (1, 1))
    assert Verdict.read(tmp_path, time.time() - 60) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"verdict": {}}', '{"verdict": {"state": "pass", "exit_code": "x"}}'])
def test_a_report_that_cannot_be_read_is_no_verdict(tmp_path: Path, text: str) -> None:
    (tmp_path / "posture.json").write_text(text)
    assert Verdict.read(tmp_path, 0) is None
