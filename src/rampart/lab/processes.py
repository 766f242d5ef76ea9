# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Processes that outlive the command that started them, known by pid and start time (a pid alone may be reused)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

# The shell keeps its pid and start time across exec, so the caller can record them before anything happens; when the
# caller dies first, `read` meets the end of the pipe and the shell ends without a trace.
_GATE = 'echo ready; read -r go || exit 1; exec "$@" </dev/null >&2'
_READY_S = 20.0


@dataclass(frozen=True)
class ProcessId:
    """`started` is field 22 of /proc/<pid>/stat, in clock ticks since boot."""

    pid: int
    started: int

    def alive(self) -> bool:
        """Whether this very process runs (a zombie does not)."""
        stat = _stat(self.pid)
        return stat is not None and stat[0] != "Z" and int(stat[19]) == self.started

    def kill(self, sig: int = signal.SIGKILL) -> None:
        """Send a signal, unless the process has ended."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def wait(self, seconds: float) -> bool:
        """Wait for the end; false when the time is over first. Reaps the process when it is a child of ours."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, os.WNOHANG)
            if not self.alive():
                return True
            if time.monotonic() > end:
                return False
            time.sleep(0.02)

    def terminate(self, seconds: float = 5.0) -> None:
        """SIGTERM, then SIGKILL after `seconds`."""
        self.kill(signal.SIGTERM)
        if not self.wait(seconds):
            self.kill()
            self.wait(5.0)


def identify(pid: int) -> ProcessId | None:
    """The identity of a running process, None when there is none."""
    stat = _stat(pid)
    return ProcessId(pid, int(stat[19])) if stat else None


def spawn(
    argv: Sequence[str],
    log: Path,
    record: Callable[[ProcessId], None],
    prepare: Callable[[ProcessId], None] = lambda _: None,
    wrapper: Sequence[str] = (),
) -> ProcessId:
    """Start a detached process whose identity is recorded before its program runs.

    `wrapper` (such as `unshare --net`) runs first and must exec what follows it; `record` is called with the
    identity, then `prepare` (cgroups, network) once the wrapper is through, then `argv` replaces the waiting shell.
    Output goes to `log`. Raises OSError when the wrapper fails; the text of its error is then in `log`.
    """
    with log.open("ab") as sink:
        child = subprocess.Popen(
            [*wrapper, "/bin/sh", "-c", _GATE, "sh", *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sink,
            start_new_session=True,
            env={**os.environ, "RAMPART_LAB_LOG": str(log)},  # says in /proc/PID/environ whose process it is
            cwd="/",
        )
    assert child.stdin is not None and child.stdout is not None
    try:
        identity = identify(child.pid)
        if identity is None or child.stdout.readline() != b"ready\n":
            raise OSError(f"{(*wrapper, *argv)[0]} did not start; see {log}")
        record(identity)
        prepare(identity)
        child.stdin.write(b"go\n")
        child.stdin.flush()
    except BaseException:
        child.kill()
        child.wait()
        raise
    finally:
        # Popen would warn about, and wait for, a child that is meant to stay.
        child.returncode = child.returncode if child.returncode is not None else 0
        for pipe in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
    return identity


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat after the command name: [0] is the state, [19] the start time."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
