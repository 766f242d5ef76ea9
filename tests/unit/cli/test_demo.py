# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's choices and its comparison of two reports."""

from __future__ import annotations

import io

from rich.console import Console

from rampart.demo import choose_driver, comparison, open_controls


def test_nspawn_is_taken_by_root_on_linux_only_and_the_reason_is_said() -> None:
    chosen = choose_driver("linux", root=True, has_nspawn=True, has_qemu=True)
    assert chosen is not None
    assert (chosen.driver, "root" in chosen.reason) == ("nspawn", True)
    for root, nspawn, why in ((False, True, "not root"), (True, False, "not installed")):
        chosen = choose_driver("linux", root=root, has_nspawn=nspawn, has_qemu=True)
        assert chosen is not None
        assert (chosen.driver, why in chosen.reason) == ("qemu", True)
    assert choose_driver("linux", root=False, has_nspawn=True, has_qemu=False) is None


def report(score: float, **states: str) -> dict[str, object]:
    counts: dict[str, int] = {}
    for state in states.values():
        counts[state] = counts.get(state, 0) + 1
    results = [{"id": name.replace("_", "-"), "state": state} for name, state in states.items()]
    controls = {
        "RMP-A-001": {"severity": "low", "title": "A", "remedy": "do a"},
        "RMP-B-001": {"severity": "critical", "title": "B", "remedy": "do b"},
    }
    host = {"name": "gpu1", "mode": "inference", "score": score, "counts": counts, "results": results}
    return {"hosts": [host], "verdict": {"score": score}, "controls": controls}


def test_the_comparison_has_both_scores_of_each_host_and_of_the_fleet() -> None:
    console = Console(file=io.StringIO(), width=120)
    console.print(comparison(report(10.0), report(95.5, RMP_A_001="pass", RMP_B_001="conflict")))
    assert isinstance(console.file, io.StringIO)
    rows = [line.split() for line in console.file.getvalue().splitlines()]
    assert ["gpu1", "inference", "10.0", "95.5", "1", "0", "0", "1"] in rows
    assert any(row[:3] == ["fleet", "10.0", "95.5"] for row in rows)


def test_a_host_that_was_never_measured_before_has_no_score_before() -> None:
    console = Console(file=io.StringIO(), width=120)
    console.print(comparison({}, report(95.5)))
    assert isinstance(console.file, io.StringIO)
    assert any(line.split()[:4] == ["gpu1", "inference", "-", "95.5"] for line in console.file.getvalue().splitlines())


def test_open_controls_come_gravest_first_with_hosts_and_remedy_and_an_end() -> None:
    failing = report(0.0, RMP_A_001="fail", RMP_B_001="fail")
    lines = open_controls(failing)
    assert lines[0] == "critical RMP-B-001  B (gpu1); remedy: do b"
    assert lines[1].startswith("low ")
    assert open_controls(failing, limit=1)[-1] == "... and 1 more in the report"
    assert open_controls(report(100.0, RMP_A_001="pass")) == []
