# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Arm, confirm and take back a change that could cut the operator off."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Callable

from ansible_collections.rampart.fleet.plugins.module_utils.deadman.plan import DeadMan

Run = Callable[[Sequence[str]], tuple[int, str, str]]


class RollbackError(Exception):
    """The rollback could not be armed or had happened already; the message says what to do."""


class Switch:
    """A rollback on this host. `run` runs a command and returns its status, stdout and stderr; `root` is for tests."""

    def __init__(self, plan: DeadMan, run: Run, root: str = "/") -> None:
        self.plan, self.run, self.root = plan, run, Path(root)

    def path(self, name: str) -> Path:
        """Return a path under the root."""
        return self.root / name.lstrip("/")

    @property
    def pending(self) -> bool:
        """Say whether an unconfirmed change waits for its rollback."""
        return self.path(self.plan.armed).exists()

    def arm(self, snapshot: Mapping[str, str], undo: Sequence[str]) -> None:
        """Write the snapshot files and the script, then start the timer. Raises RollbackError, with nothing left armed.

        While an unconfirmed change of an earlier run waits, its snapshot stays: that was the last good state.
        """
        self.run(self.plan.stop())
        if not self.pending:
            self._write(snapshot, undo)
        rc, out, err = self.run(self.plan.start())
        if rc != 0:
            self.path(self.plan.armed).unlink(missing_ok=True)
            raise RollbackError(
                "the rollback timer did not start, so nothing was changed: "
                f"{(err or out).strip()}; systemd must run on the host"
            )

    def confirm(self) -> bool:
        """End the rollback; return whether one was waiting. Raises RollbackError when it has happened."""
        armed, fired = self.path(self.plan.armed), self.path(self.plan.fired)
        try:
            armed.replace(armed.with_name("confirmed"))
        except FileNotFoundError:
            if fired.exists():
                raise RollbackError(
                    f"the change of {self.plan.name} was taken back, because no new connection confirmed it in time"
                ) from None
            return False
        self.run(self.plan.stop())
        return True

    def roll_back(self) -> None:
        """Take the change back at once."""
        self.run(["/bin/sh", self.plan.folder + "/undo"])
        self.run(self.plan.stop())

    def _write(self, snapshot: Mapping[str, str], undo: Sequence[str]) -> None:
        folder = self.path(self.plan.folder)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for name, content in {**snapshot, "undo": self.plan.script(undo)}.items():
            with open(folder / name, "w", encoding="utf-8", opener=_private) as file:
                file.write(content)
        self.path(self.plan.armed).touch(mode=0o600)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
