# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A rollback that happens by itself unless somebody says that the change is good: a shell script and a transient timer.

Confirming and rolling back both begin with renaming the same file. A rename is atomic, so exactly one of them wins.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

HOME = "/run/rampart/rollback"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")


@dataclass(frozen=True)
class DeadMan:
    """A rollback by name; `seconds` until it happens."""

    name: str
    seconds: int = 60

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"a rollback is named {self.name!r}; wanted lower-case letters, digits and -")
        if not 5 <= self.seconds <= 3600:
            raise ValueError(f"the rollback '{self.name}' waits {self.seconds} s; wanted 5 to 3600")

    @property
    def folder(self) -> str:
        """Return the folder of the snapshot and the state; it lives in /run, for a timer does not outlive a boot
        either."""
        return f"{HOME}/{self.name}"

    @property
    def armed(self) -> str:
        """Return the file that exists while the rollback is to happen."""
        return self.folder + "/armed"

    @property
    def fired(self) -> str:
        """Return the file that exists once it has happened."""
        return self.folder + "/fired"

    @property
    def unit(self) -> str:
        """Return the name of the timer's unit without its suffix."""
        return "rampart-rollback-" + self.name

    def script(self, undo: Sequence[str]) -> str:
        """Return the script that the timer runs: it goes on after a failing line, because half a way back is better
        than none."""
        first = f"mv -T {shlex.quote(self.armed)} {shlex.quote(self.fired)} 2>/dev/null || exit 0"
        return "\n".join(["#!/bin/sh", first, *undo, ""])

    def start(self) -> list[str]:
        """Return the command that starts the timer.

        AccuracySec defaults to one minute for transient timers, which is as long as the wait itself.
        """
        return [
            "systemd-run", "--quiet", "--collect", "--unit=" + self.unit,
            f"--description=Rampart takes back a change of {self.name} that nobody confirmed",
            f"--on-active={self.seconds}s", "--timer-property=AccuracySec=100ms",
            "/bin/sh", self.folder + "/undo",
        ]  # fmt: skip

    def stop(self) -> list[str]:
        """Return the command that stops the timer; it may be gone already."""
        return ["systemctl", "stop", self.unit + ".timer"]
