# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Workers that an interrupted ansible-playbook left behind: they lead sessions of their own, and go on otherwise."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def end_leftovers(folder: Path) -> None:
    """Kill what is left of the run in `folder`: an ansible-playbook that is interrupted while it forks misses some."""
    for pid in workers_of(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def workers_of(folder: Path) -> list[int]:
    """Return the processes of ansible-playbook that ansible-runner started for a run; none where there is no /proc."""
    # ansible-runner gives each run a folder of its own, and says so in the environment.
    mark = os.fsencode(f"AWX_ISOLATED_DATA_DIR={folder.absolute()}/")
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            ours = any(variable.startswith(mark) for variable in environment.read_bytes().split(b"\0"))
            words = environment.with_name("cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if ours and any(Path(os.fsdecode(word)).name == "ansible-playbook" for word in words[:2]):
            found.append(int(environment.parent.name))
    return found
