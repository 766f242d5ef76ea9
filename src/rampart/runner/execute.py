# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Run one request through ansible-runner in a thread, while the calling thread folds events and draws."""

from __future__ import annotations

import contextlib
import os
import queue
import shlex
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from rampart.runner.folder import RunFolder
from rampart.runner.leftovers import end_leftovers
from rampart.runner.request import PlayRequest, executables
from rampart.runner.state import RunState
from rampart.runner.view import View

#: How long ansible-runner waits between two looks at the cancel flag, and we between two redraws, in seconds.
CANCEL_POLL_S, REDRAW_S = 1, 0.25

#: How long ansible-playbook may take to end its workers after an interrupt, in seconds, before it is killed.
GRACE_S = 20


class RunnerError(Exception):
    """ansible-runner could not run at all; the message says what to do."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: ansible-runner's status (successful, failed, canceled, error) and rc of ansible-playbook."""

    status: str
    rc: int
    seconds: float
    state: RunState


class _Job(threading.Thread):
    """ansible-runner in a thread of its own; its handler only queues (a slow one makes pexpect time out, #1343)."""

    def __init__(self, request: PlayRequest, folder: RunFolder, directory: Path) -> None:
        super().__init__(name="ansible-runner", daemon=True)
        self.events: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self.cancel, self.done = threading.Event(), threading.Event()
        self.status, self.rc, self.error = "error", 2, ""
        self._request, self._folder, self._directory = request, folder, directory
        self._deadline: float | None = None

    def run(self) -> None:
        try:
            import ansible_runner

            result = ansible_runner.run(
                private_data_dir=str(self._folder.path),
                ident=self._folder.ident,
                # The caller's own directory: relative paths and ansible.cfg mean what they mean to ansible-playbook.
                project_dir=str(self._directory),
                playbook=self._request.playbook,
                cmdline=shlex.join(self._request.options()),
                envvars=self._request.environment(),
                settings={"pexpect_timeout": CANCEL_POLL_S, "idle_timeout": 0},
                suppress_env_files=True,
                quiet=True,
                event_handler=self._queue,
                cancel_callback=self._must_kill,
            )
            self.status, self.rc = str(result.status), int(result.rc)
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"
        finally:
            self.done.set()

    def _must_kill(self) -> bool:
        """Whether ansible-runner is to kill the run.

        It would leave the workers behind, which lead sessions of their own: ansible-playbook is interrupted first, and
        ends them itself.
        """
        if not self.cancel.is_set():
            return False
        if self._deadline is None:
            self._deadline = time.monotonic() + GRACE_S
            for pid in children_named("ansible-playbook"):
                os.kill(pid, signal.SIGINT)
        return time.monotonic() > self._deadline

    def _queue(self, event: Mapping[str, Any]) -> bool:
        self.events.put(event)
        return True


@contextlib.contextmanager
def _cancel_on_signal(job: _Job) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the run in an orderly way; the handlers of before come back afterwards."""

    def cancel(_signal: int, _frame: FrameType | None) -> None:
        job.cancel.set()

    before = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def execute(request: PlayRequest, folder: RunFolder, directory: Path, view: View) -> Outcome:
    """Run to the end, or until Ctrl-C or SIGTERM; raises RunnerError when nothing could be started."""
    if not shutil.which("ansible-playbook", path=request.environment()["PATH"]):
        raise RunnerError(f"ansible-playbook is neither in {executables()} nor on PATH: install rampart-fleet anew")
    state, job, started = RunState(), _Job(request, folder, directory), time.monotonic()
    with _cancel_on_signal(job), view:
        job.start()
        while not job.done.wait(REDRAW_S):
            _drain(job, state)
            view.update(state, time.monotonic() - started)
        _drain(job, state)
        view.update(state, time.monotonic() - started)
    if job.cancel.is_set():
        end_leftovers(folder.path)
    folder.redact_command()
    if job.error:
        raise RunnerError(f"ansible-runner stopped: {job.error}; see {folder.path}")
    return Outcome("canceled" if job.cancel.is_set() else job.status, job.rc, time.monotonic() - started, state)


def _drain(job: _Job, state: RunState) -> None:
    while True:
        try:
            state.apply(job.events.get_nowait())
        except queue.Empty:
            return


def children_named(name: str) -> list[int]:
    """Process ids of this process's own children that run the program `name`; empty where there is no /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
            words = stat.with_name("cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if parent == os.getpid() and any(Path(os.fsdecode(word)).name == name for word in words[:2]):
            found.append(int(stat.parent.name))
    return found
