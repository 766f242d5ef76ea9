# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What people see: a grid on a terminal, lines elsewhere, failures once."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from rampart.runner.execute import Outcome
from rampart.runner.play import PlayResult
from rampart.runner.request import PlayRequest
from rampart.runner.state import Cell, Failure, RunState
from rampart.runner.summary import print_summary
from rampart.runner.verdict import Verdict
from rampart.runner.view import MAX_ROWS, LineView, TerminalView, choose, grid


def text_of(renderable: object) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(renderable)
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_the_grid_shows_host_stage_and_totals() -> None:
    state = RunState(hosts=["gpu1", "gpu2"], stages=["firewall"], task="The rules are in force", play="Harden")
    state.cells = {("gpu1", "firewall"): Cell(ok=2, changed=1), ("gpu2", "firewall"): Cell(phase="configure")}
    shown = text_of(grid(state, 75.0))
    assert "1:15  Harden: The rules are in force" in shown
    assert [line.split() for line in shown.splitlines()[1:3]] == [
        ["gpu1", "1", "changed", "3", "1", "0"],
        ["gpu2", "configure", "0", "0", "0"],
    ]


def test_a_large_fleet_does_not_overflow_the_terminal() -> None:
    shown = text_of(grid(RunState(hosts=[f"n{number}" for number in range(100)], stages=["x"]), 0))
    assert len(shown.splitlines()) == MAX_ROWS + 3
    assert f"and {100 - MAX_ROWS} hosts more" in shown


def test_lines_are_written_once_a_task_and_once_a_failure() -> None:
    console = Console(file=io.StringIO(), width=100)
    state = RunState(task="A", play="P")
    with LineView(console) as view:
        view.update(state, 1)
        state.failures.append(Failure("gpu1", "s", "A", "a", "p", "x"))
        view.update(state, 2)
        view.update(state, 3)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().splitlines() == ["0:01 P: A", "0:02 FAILED on gpu1: A"]


def test_the_view_fits_the_output() -> None:
    assert isinstance(choose(Console(file=io.StringIO())), LineView)
    assert isinstance(choose(Console(file=io.StringIO(), force_terminal=True)), TerminalView)


def summary(state: RunState, verdict: Verdict | None, status: str = "failed") -> str:
    console = Console(file=io.StringIO(), width=200)
    result = PlayResult(PlayRequest("p", ("i",)), Path("/run"), Outcome(status, 2, 1.0, state), verdict, 2)
    print_summary(result, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_one_cause_on_many_hosts_is_read_once_with_all_of_them() -> None:
    failures = [Failure(f"n{number}", "s", "Apply", "x", "f.yml:3", "line one\nline two") for number in range(3)]
    shown = summary(RunState(failures=failures), None)
    assert shown.count("line one") == 1
    assert "n0, n1, n2 failed: Apply" in shown
    assert "at f.yml:3" in shown
    assert "no verdict" in shown


def test_the_verdict_task_is_not_shown_as_a_failure_beside_the_verdict() -> None:
    failures = [Failure("localhost", "s", "Verdict", "rampart.fleet.posture_report", "p", "3 controls fail")]
    verdict = Verdict("fail", 1, {"counts": {"fail": 3, "pass": 9}, "score": 75.0}, Path("/r"))
    shown = summary(RunState(failures=failures), verdict)
    assert "failed: Verdict" not in shown
    assert "verdict fail, score 75.0: 3 fail, 9 pass" in shown


def test_a_rescued_failure_is_still_read_when_the_run_was_not_good() -> None:
    failures = [Failure("gpu1", "s", "Inventory", "x", "p", "unknown role firewal", rescued=True)]
    verdict = Verdict("undecided", 2, {}, Path("/r"))
    assert "unknown role firewal" in summary(RunState(failures=failures), verdict)


def test_an_interrupted_run_says_what_to_do() -> None:
    assert "run the same command again" in summary(RunState(), None, "canceled")
