# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Processes of the qemu driver: recorded in the lab's journal before they begin, found again by a later command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rampart.lab.errors import LabError
from rampart.lab.processes import ProcessId, spawn
from rampart.lab.state import LabFolder, write_atomic


def start(lab: LabFolder, argv: Sequence[str], log: Path, store: Path, **tags: str) -> ProcessId:
    """Start a process; `store` names it for `find`, `tags` for the journal's undo."""

    def record(process: ProcessId) -> None:
        lab.journal.record("process", pid=process.pid, started=process.started, **tags)

    try:
        process = spawn(argv, log, record)
    except OSError as exc:
        raise LabError(f"{argv[0]} did not start: {exc}\n{tail(log)}") from exc
    write_atomic(store, json.dumps({"pid": process.pid, "started": process.started}).encode())
    return process


def find(store: Path) -> ProcessId | None:
    """The process that `start` named, if it lives."""
    try:
        process = ProcessId(**json.loads(store.read_text(encoding="ascii")))
    except (OSError, ValueError, TypeError):
        return None
    return process if process.alive() else None


def tail(log: Path) -> str:
    """The end of a log, for an error."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]) if log.exists() else ""
