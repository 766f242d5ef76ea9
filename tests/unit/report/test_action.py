# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The action as people meet it: through ansible-playbook, on host files of a run."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.history import History

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parents[3]


def play(folder: Path, arguments: Json, hosts: dict[str, Json] | None = None) -> tuple[int, str, Json]:
    """Run the task once; return the exit code of ansible-playbook, its output and the task's result."""
    fleet = {name: {} for name in ("gateway1", "gpu1", "gpu2", "store1")} if hosts is None else hosts
    inventory = {"all": {"children": {"rampart": {"hosts": fleet}}}}
    (folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
    report = {"name": "The report is written", "rampart.fleet.posture_report": arguments, "register": "out"}
    content = {"content": "{{ out | to_json }}", "dest": str(folder / "out"), "mode": "0600"}
    kept = {"name": "The result is kept whatever it was", "ansible.builtin.copy": content}
    tasks = [{"name": "The run is reported", "block": [report], "always": [kept]}]
    book = [{"name": "Report", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    (folder / "book.yml").write_text(yaml.safe_dump(book))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "COLUMNS": "120",
        "NO_COLOR": "1",
    }
    environment |= {"ANSIBLE_PYTHON_INTERPRETER": sys.executable, "ANSIBLE_LOCAL_TEMP": str(folder / "tmp")}
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts.yml", "book.yml"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    output = done.stdout + done.stderr
    assert (folder / "out").exists(), output
    return done.returncode, output, json.loads((folder / "out").read_text())


def test_a_run_is_reported_and_fails_with_the_next_steps(run_folder: Path, tmp_path: Path) -> None:
    code, output, result = play(tmp_path, {"run_id": "run-2", "report_dir": str(run_folder), "max_lines": 5})
    assert code == 2
    assert result["failed"]
    assert not result["changed"]
    assert (result["verdict"]["state"], result["verdict"]["exit_code"]) == ("fail", 1)
    lines = result["msg"].splitlines()
    assert len(lines) == 1 + 5 + 1
    assert "next step: role rampart.fleet." in lines[1]
    assert lines[-1].startswith("and ")
    assert "Fleet posture: 4 hosts, 130 controls, run run-2" in output
    report = json.loads((run_folder / "posture.json").read_text())
    assert report["run"]["playbook"] == "book.yml"
    assert len(result["files"]) == 4


def test_an_assessment_reports_and_does_not_fail(run_folder: Path, tmp_path: Path) -> None:
    hosts = {"gpu1": {}, "gpu9": {"rampart_mode": "idle", "rampart_verify_failure": "Preflight: unknown mode"}}
    arguments = {"run_id": "run-2", "report_dir": str(run_folder), "fail": False, "fail_on": "critical"}
    code, output, result = play(tmp_path, arguments, hosts)
    assert code == 0, output
    assert result["verdict"]["state"] != "pass"
    report = json.loads((run_folder / "posture.json").read_text())
    lost = report["hosts"][1]
    assert (lost["state"], lost["mode"], lost["reason"]) == ("failed", "idle", "Preflight: unknown mode")
    assert "gpu9" in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "run_id"),
        ({"run_id": "run-2", "fail_on": "grave"}, "critical, high, medium, low, info"),
        ({"run_id": "run-2", "hosts": []}, "put the hosts of the fleet into that group"),
        ({"run_id": "run-2", "report_dir": "/proc/nowhere"}, "cannot write"),
    ],
)
def test_what_cannot_be_done_says_why(tmp_path: Path, arguments: Json, words: str) -> None:
    code, _, result = play(tmp_path, arguments)
    assert code == 2
    assert words in result["msg"]


def test_a_broken_history_fails_the_task_after_the_report_is_written(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.sqlite").write_bytes(b"no database" * 500)
    arguments = {
        "run_id": "run-2",
        "report_dir": str(run_folder),
        "history": str(tmp_path / "bad.sqlite"),
        "fail": False,
    }
    code, _, result = play(tmp_path, arguments)
    assert code == 2
    assert "move it away to start a new history" in result["msg"]
    assert (run_folder / "index.html").stat().st_size > 10_000


def test_a_locked_history_fails_the_task_and_keeps_its_runs_and_the_next_run_is_recorded(
    run_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "history.sqlite"
    arguments = {"run_id": "run-2", "report_dir": str(run_folder), "history": str(path), "fail": False}
    assert play(tmp_path, arguments)[0] == 0
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        code, _, result = play(tmp_path, arguments)
        other.execute("ROLLBACK")
    assert code == 2
    assert f"history {path}: database is locked; nothing was recorded; another run is writing it" in result["msg"]
    assert "The report itself was written" in result["msg"]
    history = History(path)
    assert [run["id"] for run in history.runs()] == ["run-2"]
    assert history.verify().problems == ()
    assert play(tmp_path, arguments)[0] == 0
    assert history.verify().records == 2
