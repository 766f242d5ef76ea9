# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The files of a report appear together, whatever becomes of the history or the disk."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture import files
from ansible_collections.rampart.fleet.plugins.plugin_utils.report import schema
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.files import (
    Content,
    ReportUnwritable,
    write_together,
)
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.history import History
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.publish import publish
from jsonschema import Draft202012Validator

Json = dict[str, Any]
NAMES = ["index.html", "posture.json", "posture.prom", "posture.xml"]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.is_file())


def test_a_run_leaves_four_files_and_a_row(report: Json, tmp_path: Path) -> None:
    history = History(tmp_path / "history.sqlite")
    published = publish(report, tmp_path / "out", history)
    told = published.report
    assert published.fault == ""
    assert names(tmp_path / "out") == NAMES == sorted(path.name for path in published.written)
    stored = json.loads((tmp_path / "out" / "posture.json").read_text())
    assert stored == told
    assert list(Draft202012Validator(schema.schema()).iter_errors(stored)) == []
    assert stored["changes"] == {"previous": None, "baseline": None}
    assert (tmp_path / "out" / "posture.json").stat().st_mode & 0o777 == 0o600
    assert [run["id"] for run in history.runs()] == ["run-2"]


def test_the_second_run_is_compared_with_the_first_and_the_baseline(
    make_report: Callable[..., Json], tmp_path: Path
) -> None:
    history = History(tmp_path / "history.sqlite")
    first, second = make_report("run-1", seed=1), make_report("run-2", seed=0)
    publish(first, tmp_path / "out", history)
    history.accept_baseline("run-1")
    told = publish(second, tmp_path / "out", history).report
    assert told["changes"]["previous"]["since"]["id"] == "run-1"
    assert told["changes"]["previous"]["new_failures"]
    assert told["changes"]["baseline"] == told["changes"]["previous"]
    assert [run["id"] for run in told["trend"]] == ["run-1"]
    schema.validate(told)


def test_a_corrupt_history_costs_the_comparison_but_not_the_report(report: Json, tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    path.write_bytes(b"no database" * 500)
    published = publish(report, tmp_path / "out", History(path))
    assert "not a usable SQLite database" in published.fault
    assert len(published.written) == 4
    assert path.read_bytes() == b"no database" * 500


def test_an_invalid_report_is_not_written(report: Json, tmp_path: Path) -> None:
    report["verdict"]["score"] = 140
    with pytest.raises(schema.ReportInvalid, match="score"):
        publish(report, tmp_path / "out", History(tmp_path / "history.sqlite"))
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "history.sqlite").exists()


def test_a_full_disk_leaves_the_earlier_files_and_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_together(tmp_path, {"a": Content("old a"), "b": Content("old b")})
    real, calls = files.os.fsync, []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(ReportUnwritable, match=r"b: No space left on device.*as it was.*Free space"):
        write_together(tmp_path, {"a": Content("new a"), "b": Content("new b")})
    assert names(tmp_path) == ["a", "b"]
    assert [(tmp_path / name).read_text() for name in "ab"] == ["old a", "old b"]


def test_an_interrupted_write_leaves_the_earlier_files_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_together(tmp_path, {"a": Content("old a"), "b": Content("old b")})
    real, calls = files.os.fsync, []

    def interrupted(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(handle)

    monkeypatch.setattr(files.os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_together(tmp_path, {"a": Content("new a"), "b": Content("new b")})
    assert names(tmp_path) == ["a", "b"]
    assert [(tmp_path / name).read_text() for name in "ab"] == ["old a", "old b"]


def test_the_next_run_removes_what_a_killed_one_left_and_spares_another_run(tmp_path: Path) -> None:
    fresh, *stale = (tmp_path / f".{name}.rampart-new" for name in ("a.0th3r", "a.k1ll3d", "renamed.k1ll3d"))
    for path in (fresh, *stale):
        path.write_text("half")
    for path in stale:
        os.utime(path, (0, 0))
    write_together(tmp_path, {"a": Content("a")})
    assert names(tmp_path) == [fresh.name, "a"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportUnwritable, match=r"file/report"):
        write_together(tmp_path / "file" / "report", {"a": Content("x")})
