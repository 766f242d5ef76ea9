# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""How slow this host is, so that time limits mean the same everywhere: emulated machines take fifty times as long.

A limit that such a machine needs would let a hang on a normal host hold a run for minutes; so limits are written for a
normal host and stretched by what is measured, within bounds.
"""

from __future__ import annotations

import time
from typing import Callable

from ansible_collections.rampart.fleet.plugins.module_utils.posture.command import run_command
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError, ProbeTimeout

# Measured: 1 to 3 ms on a server and on a container of a busy one, 70 to 125 ms on a machine that QEMU emulates.
_NORMAL_S = 0.01
# A hang of 5 s on a normal host must end within a minute on any.
_MOST = 10.0
_TRIES = 3


def start_true() -> None:
    """Start a process that does nothing, and wait for its end."""
    run_command("/bin/true", ("true",), _NORMAL_S * _MOST * _TRIES, "", "/bin")


def pace(start_process: Callable[[], None] = start_true, clock: Callable[[], float] = time.monotonic) -> float:
    """Return how many times longer than on a normal host a process takes to start and end, 1.0 to 10.0.

    The best of three counts, so that a moment's load does not. A host that starts no process at all is a normal one
    here: its probes will tell.
    """
    try:
        best = min(_timed(start_process, clock) for _unused in range(_TRIES))
    except ProbeTimeout:
        return _MOST
    except ProbeError:
        return 1.0
    return min(_MOST, max(1.0, best / _NORMAL_S))


def _timed(start_process: Callable[[], None], clock: Callable[[], float]) -> float:
    started = clock()
    start_process()
    return clock() - started
