# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What a logged-in user's programs do all day, in loops; prints the microseconds of one turn of each as JSON.

Runs on the host under test: `python3 -I -S audit_loops.py`.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable

TURNS = {"open": 3000, "stat": 6000, "unlink": 600, "exec": 12}
FOLDER = "/dev/shm"


def main() -> None:
    name = f"{FOLDER}/audit-loops-{os.getpid()}"
    loops: dict[str, Callable[[], None]] = {
        "open": lambda: os.close(os.open("/etc/hostname", os.O_RDONLY)),
        "stat": looked_at,
        "unlink": lambda: made_and_removed(name),
        "exec": started,
    }
    json.dump({loop: measured(act, TURNS[loop]) for loop, act in loops.items()}, sys.stdout)


def measured(act: Callable[[], None], turns: int) -> float:
    """Microseconds of a turn, by the clock of the process and its children: what else runs does not count."""
    before = spent()
    for _turn in range(turns):
        act()
    return (spent() - before) / turns * 1e6


def spent() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def looked_at() -> None:
    os.stat("/etc/hostname")  # noqa: PTH116  a Path costs more than the call


def made_and_removed(name: str) -> None:
    os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o600))
    os.unlink(name)  # noqa: PTH108  a Path costs more than the call


def started() -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)


if __name__ == "__main__":
    main()
