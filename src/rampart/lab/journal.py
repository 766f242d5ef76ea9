# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The write-ahead journal of a lab: a resource is recorded before it exists, so that a kill -9 leaves nothing unknown.

Kinds and their data: `process {pid, started}`, `cgroup {path}` (made by hand), `scope {path}` (the cgroup of a unit
that systemd made), `mount {path}`, `folder {path}`. Undoing a record of a resource that never came to be, or is already
gone, does nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rampart.lab.errors import LabError
from rampart.lab.processes import ProcessId

_SCOPE_S = 30.0  # systemd notices within milliseconds, and within seconds on an emulated machine


@dataclass
class Journal:
    """An append-only file of JSON lines; safe to use from the threads that start hosts."""

    path: Path
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def record(self, kind: str, **data: Any) -> None:
        """Write one record through to the disk. `kind` is one of those in the module's docstring."""
        if kind not in _UNDO:
            raise ValueError(f"unknown kind {kind!r}, wanted one of {', '.join(_UNDO)}")
        line = json.dumps({"kind": kind, **data}) + "\n"
        with self._lock, self.path.open("a", encoding="utf-8") as sink:
            sink.write(line)
            sink.flush()
            os.fsync(sink.fileno())

    def records(self) -> list[dict[str, Any]]:
        """All records, oldest first, without repetitions; a last line that was cut off is no record yet."""
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        found: dict[str, dict[str, Any]] = {}
        for line in lines:
            with contextlib.suppress(json.JSONDecodeError):
                found[line] = json.loads(line)
        return list(found.values())

    def undo(self, matching: dict[str, Any] | None = None) -> None:
        """Remove the recorded resources, newest first, and forget them; `matching` chooses records with these values.

        Raises LabError listing what could not be removed; those records stay.
        """
        chosen = (matching or {}).items()
        done: list[dict[str, Any]] = []
        problems: list[str] = []
        for record in reversed(self.records()):
            if all(record.get(key) == value for key, value in chosen):
                try:
                    _UNDO[record["kind"]](record)
                    done.append(record)
                except (OSError, subprocess.SubprocessError) as exc:
                    problems.append(f"{record['kind']} {record.get('path') or record.get('pid')}: {exc}")
        if not done and not problems:
            return
        with self._lock:  # other threads may have recorded meanwhile
            self._replace(record for record in self.records() if record not in done)
        if problems:
            raise LabError("could not remove: " + "; ".join(problems) + "; free it and run `rampart lab down` again")

    def _replace(self, records: Iterable[dict[str, Any]]) -> None:
        temporary = self.path.with_suffix(".new")
        temporary.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        temporary.replace(self.path)


def _undo_process(record: dict[str, Any]) -> None:
    """spawn() makes each process the leader of a session of its own: its children end with it."""
    process = ProcessId(record["pid"], record["started"])
    if process.alive():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if not process.wait(10.0):
        raise OSError("still runs 10 s after SIGKILL")


def _undo_cgroup(record: dict[str, Any]) -> None:
    """Kill what is left in the group and its children, then remove them, innermost first."""
    top = Path(record["path"])
    end = time.monotonic() + 10.0
    while top.is_dir():
        folders = [Path(folder) for folder, _, _ in os.walk(top, topdown=False)]
        _kill_members(folders)
        try:
            for folder in folders:
                with contextlib.suppress(FileNotFoundError):
                    folder.rmdir()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def _undo_scope(record: dict[str, Any]) -> None:
    """Kill what is left in the scope; systemd then removes the group. Removed by others, it is never missed there."""
    top = Path(record["path"])
    end = time.monotonic() + _SCOPE_S
    while top.is_dir():
        _kill_members(Path(folder) for folder, _, _ in os.walk(top))
        if time.monotonic() > end:
            raise OSError(f"systemd keeps it {_SCOPE_S:.0f} s after its processes were killed")
        time.sleep(0.02)


def _kill_members(cgroups: Iterable[Path]) -> None:
    for cgroup in cgroups:
        for pid in _members(cgroup):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _members(cgroup: Path) -> list[int]:
    try:
        return [int(pid) for pid in (cgroup / "cgroup.procs").read_text(encoding="ascii").split() if pid != "0"]
    except OSError:
        return []


def _undo_mount(record: dict[str, Any]) -> None:
    if os.path.ismount(record["path"]):
        subprocess.run(["umount", "--", record["path"]], check=True, timeout=30, capture_output=True)


def _undo_folder(record: dict[str, Any]) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(record["path"])


_UNDO = {
    "process": _undo_process,
    "cgroup": _undo_cgroup,
    "scope": _undo_scope,
    "mount": _undo_mount,
    "folder": _undo_folder,
}
