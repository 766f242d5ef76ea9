# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""When the main process of a service started, by the kernel's account."""

from __future__ import annotations

import re

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host

# USER_HZ: what /proc counts in, 100 on every architecture of Linux that we run on.
_TICKS_PER_S = 100


def started(host: Host, unit: str) -> float:
    """Return the seconds since the epoch at which the main process of a unit started; Absent when it runs none."""
    answer = host.run(["systemctl", "show", "--property=MainPID", "--value", unit]).require_ok()
    pid = answer.stdout.strip()
    if not pid.isdigit() or pid == "0":
        raise Absent(f"{unit} runs no process")
    # The name of the program stands in parentheses and may hold blanks; the start is the 22nd word of the line.
    words = host.read_text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    boot = re.search(r"^btime (\d+)$", host.read_text("/proc/stat"), re.MULTILINE)
    if boot is None or len(words) < 20:
        raise ProbeError(f"/proc does not say when process {pid} of {unit} started")
    return int(boot.group(1)) + int(words[19]) / _TICKS_PER_S
