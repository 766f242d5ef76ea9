# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The history keeps every run once, compares them, and survives what happens to files."""

from __future__ import annotations

import copy
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.plugin_utils.report import history as module
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.diff import diff, is_empty, snapshot
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.history import History, HistoryError

Json = dict[str, Any]
MakeReport = Callable[..., Json]


def rerun(report: Json, run_id: str) -> Json:
    again = copy.deepcopy(report)
    again["run"]["id"] = run_id
    return again


def result(report: Json, host: int, state: str) -> Json:
    return next(one for one in report["hosts"][host]["results"] if one["state"] == state)


def count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "deep" / "history.sqlite")


def test_a_recorded_run_reads_back_as_it_was(history: History, report: Json) -> None:
    history.record(report)
    assert history.run("run-2") == snapshot(report)
    assert history.path.stat().st_mode & 0o777 == 0o600


def test_evidence_is_stored_once(history: History, report: Json) -> None:
    history.record(report)
    once = count(history.path, "evidence")
    history.record(rerun(report, "run-3"))
    assert count(history.path, "evidence") == once < 20
    assert count(history.path, "result") == 2 * 4 * 130


def test_the_same_run_is_replaced_not_doubled(history: History, report: Json) -> None:
    history.record(report)
    result(report, 0, "pass")["state"] = "fail"
    history.record(report)
    assert count(history.path, "run") == 1
    assert history.run("run-2") == snapshot(report)


def test_previous_is_the_run_before_and_not_itself(history: History, report: Json) -> None:
    for run_id in ("run-1", "run-2", "run-3"):
        history.record(rerun(report, run_id))
    assert history.previous("run-1") is None
    for run_id, before in (("run-3", "run-2"), ("run-2", "run-1"), ("not recorded yet", "run-3")):
        found = history.previous(run_id)
        assert found is not None
        assert found.id == before


def test_only_acceptance_makes_a_baseline_and_pruning_spares_it(history: History, report: Json) -> None:
    history.record(rerun(report, "run-0"))
    assert history.baseline() is None
    history.accept_baseline("run-0")
    for number in range(1, 6):
        history.record(rerun(report, f"run-{number}"), keep=2)
    assert [run["id"] for run in history.runs()] == ["run-0", "run-4", "run-5"]
    base = history.baseline()
    assert base is not None
    assert base.results == snapshot(report).results


def test_a_run_is_found_by_the_beginning_of_its_id(history: History, report: Json) -> None:
    for run_id in ("20260101-aa", "20260102-bb", "2026_%-cc"):
        history.record(rerun(report, run_id))
    assert history.run("20260102").id == "20260102-bb"
    assert history.run("2026_").id == "2026_%-cc"
    with pytest.raises(HistoryError, match=r"ambiguous.*20260102-bb"):
        history.run("202601")
    with pytest.raises(HistoryError, match=r"not in the history.*20260101-aa"):
        history.run("1999")
    with pytest.raises(HistoryError, match="not in the history"):
        history.accept_baseline("1999")


def test_a_corrupt_file_is_reported_and_left_alone(history: History, report: Json) -> None:
    history.path.parent.mkdir()
    history.path.write_bytes(b"this was a database once" * 100)
    before = history.path.read_bytes()
    with pytest.raises(HistoryError, match=r"not a usable SQLite database.*move it away"):
        history.record(report)
    assert history.path.read_bytes() == before


def test_a_locked_history_is_reported_and_earlier_runs_stay(
    history: History, report: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_S", 0.05)
    history.record(report)
    with closing(sqlite3.connect(history.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HistoryError, match=r"locked.*wait for it"):
            history.record(rerun(report, "run-3"))
        other.execute("ROLLBACK")
    assert [run["id"] for run in history.runs()] == ["run-2"]


def test_a_run_that_cannot_be_stored_leaves_nothing(history: History, report: Json) -> None:
    history.record(report)
    bad = rerun(report, "run-3")
    bad["hosts"][3]["results"][129]["severity"] = None
    with pytest.raises(HistoryError):
        history.record(bad)
    assert [run["id"] for run in history.runs()] == ["run-2"]
    assert count(history.path, "result") == 4 * 130


def test_a_newer_schema_is_refused(history: History, report: Json) -> None:
    history.record(report)
    with closing(sqlite3.connect(history.path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(HistoryError, match="schema version 99"):
        history.record(report)


def test_reading_creates_no_file(history: History) -> None:
    with pytest.raises(HistoryError, match="does not exist"):
        history.runs()
    assert not history.path.exists()


def test_two_equal_runs_have_no_difference(report: Json) -> None:
    assert is_empty(diff(snapshot(report), snapshot(rerun(report, "run-3"))))


def test_each_kind_of_change_is_told_apart(report: Json) -> None:
    later = rerun(report, "run-3")
    broken, fixed, unclear = result(later, 0, "pass"), result(later, 1, "fail"), result(later, 2, "pass")
    broken.update(state="fail", observed="yes")
    fixed.update(state="pass", observed=5)
    unclear["state"] = "error"
    moved = next(one for one in later["hosts"][3]["results"] if one["state"] == "pass")
    moved["observed"] = {"value": [1, 2]}
    found = diff(snapshot(report), snapshot(later))
    assert [(row["host"], row["control"]) for row in found["new_failures"]] == [("gateway1", broken["id"])]
    assert [(row["host"], row["control"]) for row in found["fixed"]] == [("gpu1", fixed["id"])]
    assert [(row["after"], row["control"]) for row in found["changed_states"]] == [("error", unclear["id"])]
    assert [(row["observed_after"], row["host"]) for row in found["changed_values"]] == [
        ('{"value": [1, 2]}', "store1")
    ]


def test_a_host_that_was_not_measured_is_lost_and_its_failures_are_not_fixed(report: Json) -> None:
    later = rerun(report, "run-3")
    later["hosts"][1].update(state="unreachable", results=[], counts={})
    found = diff(snapshot(report), snapshot(later))
    assert found["hosts_lost"] == ["gpu1"]
    assert (found["fixed"], found["hosts_disappeared"], found["controls_disappeared"]) == ([], [], [])
    assert diff(snapshot(later), snapshot(report))["hosts_regained"] == ["gpu1"]


def test_hosts_and_controls_come_and_go(report: Json) -> None:
    later = rerun(report, "run-3")
    gone = later["hosts"].pop()
    for host in later["hosts"]:
        host["results"] = [one for one in host["results"] if one["id"] != "RMP-SSH-001"]
    later["run"]["catalogue_sha256"] = "cd" * 32
    found = diff(snapshot(report), snapshot(later))
    assert found["hosts_disappeared"] == [gone["name"]]
    assert found["controls_disappeared"] == ["RMP-SSH-001"]
    assert found["catalogue_changed"]
    assert diff(snapshot(later), snapshot(report))["controls_appeared"] == ["RMP-SSH-001"]


def test_a_new_control_that_fails_is_a_new_failure(report: Json) -> None:
    earlier = copy.deepcopy(report)
    failing = result(report, 0, "fail")
    earlier["hosts"][0]["results"] = [one for one in earlier["hosts"][0]["results"] if one["id"] != failing["id"]]
    (row,) = diff(snapshot(earlier), snapshot(report))["new_failures"]
    assert (row["control"], row["before"]) == (failing["id"], None)
