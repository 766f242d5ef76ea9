# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The journal undoes what it recorded, survives a cut-off line, and ends no process that it did not record."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rampart.lab.errors import LabError
from rampart.lab.journal import Journal
from rampart.lab.processes import ProcessId, identify, spawn


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


def test_folders_are_removed_and_forgotten(journal: Journal, tmp_path: Path) -> None:
    for name in ("a", "b"):
        journal.record("folder", path=str(tmp_path / name), host=name)
        (tmp_path / name / "deep").mkdir(parents=True)
    journal.undo({"host": "a"})
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "b").exists()
    assert [record["host"] for record in journal.records()] == ["b"]
    journal.undo()
    assert not (tmp_path / "b").exists()
    assert journal.records() == []


def test_a_recorded_folder_that_never_came_to_be_is_no_error(journal: Journal, tmp_path: Path) -> None:
    journal.record("folder", path=str(tmp_path / "never"))
    journal.undo()
    assert journal.records() == []


def test_a_line_that_a_crash_cut_off_is_ignored(journal: Journal, tmp_path: Path) -> None:
    journal.record("folder", path=str(tmp_path / "a"))
    with journal.path.open("a", encoding="utf-8") as sink:
        sink.write('{"kind": "fold')
    assert len(journal.records()) == 1


def test_undo_without_a_journal_does_nothing(journal: Journal) -> None:
    journal.undo()
    assert not journal.path.exists()


def test_what_cannot_be_removed_stays_recorded_and_is_named(journal: Journal, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    journal.record("folder", path=str(file))
    with pytest.raises(LabError, match=f"folder {file}"):
        journal.undo()
    assert len(journal.records()) == 1


def test_records_of_many_threads_all_arrive(journal: Journal) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: journal.record("folder", path=f"/nowhere/{number}"), range(200)))
    assert len(journal.records()) == 200


def test_an_unknown_kind_is_refused(journal: Journal) -> None:
    with pytest.raises(ValueError, match="unknown kind 'file'"):
        journal.record("file", path="/x")


def test_a_process_and_its_children_end(journal: Journal, tmp_path: Path) -> None:
    children = tmp_path / "children"

    def record(process: ProcessId) -> None:
        journal.record("process", pid=process.pid, started=process.started)

    script = f"sleep 300 & echo $! > {children}.new; mv {children}.new {children}; wait"
    process = spawn(["sh", "-c", script], tmp_path / "log", record)
    while not children.exists():
        assert process.alive()
    child = identify(int(children.read_text(encoding="ascii")))
    assert child is not None
    journal.undo()
    assert not process.alive()
    assert child.wait(5.0)


def test_a_reused_pid_is_left_alone(journal: Journal) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        running = identify(other.pid)
        assert running is not None
        journal.record("process", pid=running.pid, started=running.started - 1)
        journal.undo()
        assert other.poll() is None
        other.kill()


def test_a_process_whose_starter_dies_before_recording_never_runs(tmp_path: Path) -> None:
    """The parent is killed inside `record`, the earliest moment at which the journal could miss the process."""
    proof = tmp_path / "ran"
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom rampart.lab.processes import spawn\n"
        "def record(p):\n    print(p.pid, p.started, flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"
        f"spawn(['touch', {str(proof)!r}], Path({str(tmp_path / 'log')!r}), record)\n"
    )
    source = str(Path(__file__).parents[3] / "src")
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={"PYTHONPATH": source},
    )
    assert done.returncode == -9, done.stderr
    pid, started = done.stdout.split()
    assert ProcessId(int(pid), int(started)).wait(5.0)
    assert not proof.exists()


def test_a_wrapper_that_fails_is_reported_with_its_log(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="log"):
        spawn(["true"], tmp_path / "log", lambda _: None, wrapper=["false"])


def test_a_scope_is_emptied_and_left_for_systemd_to_remove(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = tmp_path / "x.scope/payload"
    scope.mkdir(parents=True)
    sleeper = subprocess.Popen(["sleep", "60"])
    (scope / "cgroup.procs").write_text(f"{sleeper.pid}\n", encoding="ascii")
    journal.record("scope", path=str(scope.parent))
    with ThreadPoolExecutor(1) as systemd:

        def remove() -> None:
            sleeper.wait(10)
            shutil.rmtree(scope.parent)

        removed = systemd.submit(remove)
        journal.undo()
        removed.result(10)
    assert journal.records() == []
    scope.mkdir(parents=True)
    journal.record("scope", path=str(scope.parent))
    monkeypatch.setattr("rampart.lab.journal._SCOPE_S", 0.1)
    with pytest.raises(LabError, match=r"scope .*x\.scope: systemd keeps it"):
        journal.undo()
    assert scope.is_dir() and len(journal.records()) == 1
