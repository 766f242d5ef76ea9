# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the further formats say of a report; tests/formats holds them against the field's validators."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.formats import export, mlbom, ocsf, oscal, sarif
from typer.testing import CliRunner

from rampart.report_cli import app

Json = dict[str, Any]


def states(report: Json, *wanted: str) -> int:
    return sum(one["state"] in wanted for host in report["hosts"] for one in host["results"])


def test_a_finding_is_satisfied_when_no_host_fails(report: Json) -> None:
    results = oscal.documents(report)[oscal.RESULTS]["assessment-results"]["results"][0]
    failing = {
        one["id"] for host in report["hosts"] for one in host["results"] if one["state"] in ("fail", "waived")
    }  # fmt: skip
    for finding in results["findings"]:
        name = finding["title"].split()[0]
        assert (finding["target"]["status"]["state"] == "not-satisfied") == (name in failing)
    assert len(results["observations"]) == states(report, *_all_states())


def _all_states() -> tuple[str, ...]:
    return ("pass", "fail", "waived", "not_applicable", "manual", "error", "unknown", "conflict")


def test_identifiers_last_from_run_to_run_where_the_thing_does(report: Json) -> None:
    again = {**report, "run": {**report["run"], "id": "run-9"}}
    first, second = oscal.documents(report), oscal.documents(again)
    assert first[oscal.CATALOG] == second[oscal.CATALOG]
    risks = [
        [risk["uuid"] for risk in each[oscal.POAM]["plan-of-action-and-milestones"]["risks"]]
        for each in (first, second)
    ]
    assert risks[0] == risks[1]
    assert first[oscal.RESULTS]["assessment-results"]["uuid"] != second[oscal.RESULTS]["assessment-results"]["uuid"]


def test_nothing_open_is_no_plan(report: Json) -> None:
    for host in report["hosts"]:
        host["results"] = [one for one in host["results"] if one["state"] == "pass"]
    assert oscal.POAM not in oscal.documents(report)


def test_a_waived_risk_has_its_last_day(report: Json) -> None:
    for host in report["hosts"]:
        for one in host["results"]:
            one["state"] = "waived" if one["id"] == "RMP-SSH-001" else "pass"
    poam = oscal.documents(report)[oscal.POAM]["plan-of-action-and-milestones"]
    (risk,) = poam["risks"]
    assert (risk["status"], risk["deadline"]) == ("deviation-approved", "2026-06-30T23:59:59Z")
    assert any("storage team" in each["title"] for each in risk["remediations"])


def test_events_tell_all_results_and_raise_new_grave_failures(report: Json) -> None:
    events = list(ocsf.events(report))
    kinds = [event["class_uid"] for event in events]
    assert kinds.count(ocsf.COMPLIANCE) == sum(len(host["results"]) for host in report["hosts"]) - states(
        report, "not_applicable"
    )
    grave = [
        one for host in report["hosts"] for one in host["results"]
        if one["state"] == "fail" and one["severity"] in ("critical", "high")
    ]  # fmt: skip
    assert kinds.count(ocsf.DETECTION) == len(grave) > 0
    assert len({event["metadata"]["uid"] for event in events}) == len(events)


def test_a_failure_that_was_there_before_raises_nothing(report: Json) -> None:
    report["changes"] = {"previous": {"new_failures": []}, "baseline": None}
    assert all(event["class_uid"] == ocsf.COMPLIANCE for event in ocsf.events(report))


def test_a_log_has_what_does_not_pass_and_waived_results_are_suppressed(report: Json) -> None:
    (run,) = sarif.log(report)["runs"]
    assert len(run["results"]) == states(report, "fail", "waived", "error", "unknown", "conflict")
    assert sum("suppressions" in result for result in run["results"]) == states(report, "waived")
    assert all(run["tool"]["driver"]["rules"][each["ruleIndex"]]["id"] == each["ruleId"] for each in run["results"])


def test_the_command_writes_what_was_asked_for(report: Json, tmp_path: Path) -> None:
    (tmp_path / "posture.json").write_text(json.dumps(report))
    done = CliRunner().invoke(app, ["--dir", str(tmp_path), "--export", "ocsf", "--export", "oscal"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "posture.ocsf.ndjson").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / oscal.CATALOG).is_file()
    unknown = CliRunner().invoke(app, ["--dir", str(tmp_path), "--export", "arf"])
    assert (unknown.exit_code, "oscal, ocsf, sarif, cyclonedx" in unknown.output) == (3, True)


GOOD = {"name": "m", "version": "1", "files": [{"path": "a", "sha256": "0" * 64}]}


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ({}, "wanted a list"),
        ([3], "model 1: found 3"),
        ([{**GOOD, "name": ""}], "key 'name' is ''"),
        ([{**GOOD, "licence": "x"}], "key 'licence' is not known"),
        ([{**GOOD, "files": []}], "key 'files' is []"),
        ([{**GOOD, "files": [{"path": "a", "sha256": "zz"}]}], "64 hexadecimal digits"),
        ([GOOD, GOOD], "model 2: m@1 stands twice"),
    ],
)
def test_a_list_of_models_that_cannot_be_meant_is_refused(models: Any, said: str) -> None:
    with pytest.raises(mlbom.ModelsInvalid, match=r"cannot be used") as refused:
        mlbom.render(models, "fleet", "2026-03-05T12:00:31Z")
    assert said in str(refused.value)


def test_every_format_has_a_name(report: Json) -> None:
    assert set(export.contents(report, list(export.FORMATS))) >= {"posture.sarif", "posture.ocsf.ndjson", oscal.CATALOG}
