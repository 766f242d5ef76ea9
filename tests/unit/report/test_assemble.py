# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The report has every expected host, and only what this run measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.plugin_utils.report import assemble, schema, summary
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.judge import judge

Json = dict[str, Any]


def reassemble(folder: Path, hosts: list[str], run_id: str = "run-2", **more: Any) -> Json:
    run = assemble.RunInfo(run_id, "2026-03-05T12:01:00Z")
    return assemble.assemble(assemble.load_host_files(folder / "hosts"), hosts, run, "high", judge, **more)


def test_the_report_follows_its_schema(report: Json) -> None:
    schema.validate(report)
    assert [host["name"] for host in report["hosts"]] == ["gateway1", "gpu1", "gpu2", "store1"]
    assert len(report["controls"]) == 130
    assert sum(report["verdict"]["counts"].values()) == 4 * 130


@pytest.mark.parametrize("key", ["run", "verdict", "controls", "hosts", "waivers"])
def test_the_schema_refuses_a_report_that_lacks_a_part(report: Json, key: str) -> None:
    del report[key]
    with pytest.raises(schema.ReportInvalid, match=key):
        schema.validate(report)


def test_the_schema_names_the_place_of_a_fault(report: Json) -> None:
    report["hosts"][2]["results"][7]["state"] = "passed"
    with pytest.raises(schema.ReportInvalid, match=r"hosts\[2\]\.results\[7\]\.state.*passed"):
        schema.validate(report)


def test_a_host_without_a_file_is_unreachable_and_the_verdict_not_good(run_folder: Path) -> None:
    report = reassemble(run_folder, ["gpu1", "gpu9"])
    lost = report["hosts"][1]
    assert (lost["name"], lost["state"], lost["score"]) == ("gpu9", "unreachable", None)
    assert "unreachable" in lost["reason"]
    assert report["verdict"]["state"] != "pass"
    assert any(line.startswith("gpu9: unreachable") for line in summary.problem_lines(report, 50))
    schema.validate(report)


def test_what_the_play_knows_of_a_failure_is_the_reason(run_folder: Path) -> None:
    known = {"gpu9": assemble.KnownHost("training", "The inventory is understood: unknown mode")}
    lost = reassemble(run_folder, ["gpu9"], known=known)["hosts"][0]
    assert (lost["state"], lost["mode"]) == ("failed", "training")
    assert lost["reason"].endswith("unknown mode")


def test_the_file_of_an_earlier_run_does_not_count(run_folder: Path) -> None:
    report = reassemble(run_folder, ["gpu1"], run_id="run-3")
    assert report["hosts"][0]["state"] == "unreachable"
    assert report["controls"] == {}
    assert report["verdict"]["state"] == "undecided"


def test_a_host_that_is_not_expected_is_left_out(run_folder: Path) -> None:
    assert [host["name"] for host in reassemble(run_folder, ["store1"])["hosts"]] == ["store1"]


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"schema_version": 1}', '{"schema_version": 2, "host": {"name": "gpu1"}}']
)
def test_a_broken_host_file_is_a_failed_host_with_the_path(run_folder: Path, content: str) -> None:
    broken = run_folder / "hosts" / "gpu1.json"
    broken.write_text(content)
    host = reassemble(run_folder, ["gpu1", "gpu2"])["hosts"][0]
    assert host["state"] == "failed"
    assert str(broken) in host["reason"]


def test_an_empty_fleet_is_undecided(tmp_path: Path) -> None:
    report = reassemble(tmp_path, [])
    schema.validate(report)
    assert (report["verdict"]["state"], report["verdict"]["exit_code"]) == ("undecided", 2)
    assert "no host" in summary.headline(report)


def test_a_waiver_says_on_which_hosts_it_applied(run_folder: Path) -> None:
    path = run_folder / "hosts" / "gpu2.json"
    document = json.loads(path.read_text())
    document["waivers"][0]["matched"] = False
    path.write_text(json.dumps(document))
    (waiver,) = reassemble(run_folder, ["gpu1", "gpu2"])["waivers"]
    assert waiver["matched"] == ["gpu1"]


def test_a_run_with_two_catalogues_says_both(run_folder: Path) -> None:
    path = run_folder / "hosts" / "gpu2.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"catalogue_sha256": "cd" * 32}))
    assert reassemble(run_folder, ["gpu1", "gpu2"])["run"]["catalogue_sha256"] == f"{'ab' * 32}, {'cd' * 32}"


def test_failure_lines_are_gravest_first_and_say_the_next_step(report: Json) -> None:
    lines = summary.problem_lines(report, 3)
    gating = [f for f in summary.failures(report, ("fail", "error", "unknown", "conflict")) if f.gating]
    assert len(lines) == 4
    assert lines[-1].startswith(f"and {len(gating) - 3} more")
    for line in lines[:3]:
        assert "(critical)" in line
        assert "found 0, wanted value in" in line
        assert "next step: role rampart.fleet." in line


def test_a_failure_below_the_threshold_is_no_problem(report: Json) -> None:
    low = next(f for f in summary.failures(report) if f.severity == "low")
    assert not low.gating
    assert not any(low.id in line and line.startswith(low.host) for line in summary.problem_lines(report, 999))
