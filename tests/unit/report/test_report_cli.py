# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""`rampart report` shows, compares and accepts, and its exit code is the verdict."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.history import History
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.publish import publish
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.summary import failures
from typer.testing import CliRunner, Result

from rampart.report_cli import app

Json = dict[str, Any]


def call(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["--dir", str(folder), *arguments])


@pytest.fixture
def folder(report: Json, tmp_path: Path) -> Path:
    """Two runs: in the second one, a control that passed fails."""
    out = tmp_path / "out"
    publish(report, out, History(out / "history.sqlite"))
    later = copy.deepcopy(report)
    later["run"]["id"] = "run-3"
    next(one for one in later["hosts"][0]["results"] if one["state"] == "pass").update(state="fail", observed="weak")
    publish(later, out, History(out / "history.sqlite"))
    return out


def test_the_last_report_is_shown_and_its_verdict_is_the_exit_code(folder: Path) -> None:
    shown = call(folder)
    assert shown.exit_code == 1
    for text in ("gateway1", "NOT GOOD", "next step", "index.html"):
        assert text in shown.output


def test_json_is_for_machines(folder: Path) -> None:
    shown = call(folder, "--json")
    data = json.loads(shown.stdout)
    assert data["verdict"]["exit_code"] == shown.exit_code == 1
    report = json.loads((folder / "posture.json").read_text())
    gating = [one for one in failures(report, ("fail", "error", "unknown", "conflict")) if one.gating]
    assert len(data["problems"]) == len(gating) > 10


def test_diff_names_the_new_failure(folder: Path) -> None:
    shown = call(folder, "--diff")
    assert shown.exit_code == 1
    assert "New failures (1)" in shown.output
    assert json.loads(call(folder, "--diff", "--json").stdout)["since"]["id"] == "run-2"


def test_the_baseline_is_what_a_person_accepted(folder: Path) -> None:
    refused = call(folder, "--since", "baseline")
    assert refused.exit_code == 3
    assert "--accept-baseline" in refused.output
    assert call(folder, "--accept-baseline").exit_code == 0
    same = call(folder, "--since", "baseline")
    assert same.exit_code == 0
    assert "Nothing is different" in same.output


def test_a_run_can_be_named_by_its_beginning(folder: Path) -> None:
    assert "run-2" in call(folder, "--since", "run-2").output
    unknown = call(folder, "--since", "run-9")
    assert unknown.exit_code == 3
    assert "run-3" in unknown.output


def test_no_report_says_how_to_get_one(tmp_path: Path) -> None:
    shown = call(tmp_path)
    assert shown.exit_code == 3
    assert "rampart verify" in shown.output


def test_a_damaged_report_is_named(folder: Path) -> None:
    (folder / "posture.json").write_text('{"schema_version": 1}')
    shown = call(folder)
    assert shown.exit_code == 3
    assert "not a readable report" in shown.output
