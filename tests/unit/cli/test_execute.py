# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Real runs of ansible-playbook on this controller: results, exit codes, and an interrupt that leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PLAYBOOK = """
- name: Try
  hosts: all
  gather_facts: false
  tasks:
    - name: The host answers
      ansible.builtin.ping:
    - name: One of them fails
      ansible.builtin.fail:
        msg: as told
      when: inventory_hostname == fails | default('')
    - name: Time passes
      ansible.builtin.wait_for:
        timeout: "{{ seconds }}"
      when: seconds | int > 0
"""

DRIVER = """
import sys
from pathlib import Path
from rampart.play_cli import run_and_exit
from rampart.runner.request import PlayRequest
from rampart.runner.verdict import Expect
import typer
app = typer.Typer()
@app.command()
def main(extra: list[str]) -> None:
    run_and_exit(PlayRequest("play.yml", ("hosts.yml",), extra_vars=tuple(extra)), Path("report"), True, Expect.TASKS)
app()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    (tmp_path / "hosts.yml").write_text(
        f"all: {{vars: {{ansible_connection: local, ansible_python_interpreter: {sys.executable}}}, "
        "hosts: {a: , b: }}"
    )
    (tmp_path / "driver.py").write_text(DRIVER)
    return tmp_path


def start(project: Path, *extra: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "XDG_STATE_HOME": str(project / "state"), "SOME_TOKEN": "s3cret"}
    return subprocess.Popen(
        [sys.executable, "driver.py", *extra],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run_folder(project: Path) -> Path:
    (found,) = (project / "state" / "rampart" / "runs").iterdir()
    return found


def test_a_good_run_leaves_a_folder_and_one_json_object(project: Path) -> None:
    process = start(project, "seconds=0")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    result = json.loads(out)
    assert result["hosts"]["a"] == {"ok": 1, "changed": 0, "failed": 0, "skipped": 2}
    assert result["run_folder"] == str(run_folder(project))
    assert "Try: The host answers" in err
    assert json.loads((run_folder(project) / "result.json").read_text()) == result
    assert not list(run_folder(project).glob("env/*"))
    stored = "".join(path.read_text() for path in run_folder(project).rglob("*") if path.is_file())
    assert "s3cret" not in stored


def test_a_failing_host_ends_with_two_and_is_named_with_its_message(project: Path) -> None:
    process = start(project, "seconds=0", "fails=b")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    (failure,) = json.loads(out)["failures"]
    assert (failure["host"], failure["text"]) == ("b", "as told")
    assert err.count("as told") == 1


def test_an_interrupt_ends_the_run_and_its_workers_and_says_so(project: Path) -> None:
    process = start(project, "seconds=300")
    deadline = time.monotonic() + 40
    while not workers(project) and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(2)
    assert workers(project), "the run never began"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=40)
    assert process.returncode == 2
    assert json.loads(out)["status"] == "canceled"
    assert "run the same command again" in err
    assert not workers(project)


def workers(project: Path) -> list[str]:
    """Processes of this run's ansible-playbook, by the report folder on their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"posture_report_dir={project}" in text:
            found.append(text)
    return found


def test_a_missing_inventory_is_a_usage_error(tmp_path: Path) -> None:
    rampart = Path(sys.executable).with_name("rampart")
    done = subprocess.run(
        [rampart, "verify", "-i", "nowhere.yml"], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 3
    assert "inventory nowhere.yml does not exist" in done.stderr


def test_an_unknown_severity_is_a_usage_error_that_names_the_known_ones(tmp_path: Path) -> None:
    rampart = Path(sys.executable).with_name("rampart")
    done = subprocess.run(
        [rampart, "verify", "-i", "h,", "--fail-on", "hihg"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
    )
    assert done.returncode == 3
    assert "critical, high, medium, low, info" in done.stderr
