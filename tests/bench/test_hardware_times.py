# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The hardware of a recorded machine with eight GPUs, read from files: seconds of processor and how much is read.

Seconds of processor, because the machine may be busy with other things. Nothing is asserted about time.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.hardware import lines
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.measure import measure
from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import LocalHost

from tests.bench.test_hardening_times import show
from tests.unit.hardware.machine import GPUS, server

RUNS = 15
# What a real machine of this kind has besides: bridges, root ports, and the devices of its processors.
OTHER_DEVICES = 350


def once(root: Path) -> tuple[float, float, dict[str, Any]]:
    """One run of everything the module does: seconds of processor, seconds of the profile's lines, facts."""
    host = LocalHost(root=str(root), search_path=[])
    started = time.process_time()
    facts = measure(host)
    measured = time.process_time()
    for line in ("cpu", "memory", "ecc", "gpu", "gpu_link", "storage", "network"):
        assert "hgx-h100" in lines.measure(host, line)
    return measured - started, time.process_time() - measured, facts


def test_eight_gpus(tmp_path: Path) -> None:
    machine = server()
    for number in range(OTHER_DEVICES):
        device = f"0000:{0xF0 + number // 64:02x}:{number // 8 % 8:02x}.{number % 8}"
        machine.files[f"/sys/bus/pci/devices/{device}/uevent"] = "PCI_CLASS=88000\nPCI_ID=8086:3258\n"
    machine.write(tmp_path)
    runs = [once(tmp_path) for _unused in range(RUNS)]
    assert all(len(facts["gpus"]) == GPUS for _unused, _also, facts in runs)
    facts_ms, lines_ms = ([1000 * run[place] for run in runs] for place in (0, 1))
    show(
        (
            f"hardware_info, {GPUS} GPUs, {len(machine.files)} files",
            f"{statistics.median(facts_ms):6.1f} ms of a processor",
        ),
        ("slowest and fastest run", f"{max(facts_ms):6.1f} ms, {min(facts_ms):.1f} ms"),
        ("the lines of the profile after it", f"{statistics.median(lines_ms):6.1f} ms"),
    )
