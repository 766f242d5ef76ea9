# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The main memory: modules by the firmware's tables, and the errors that EDAC has counted."""

from __future__ import annotations

import re

from ansible_collections.rampart.fleet.plugins.module_utils.hardware import smbios
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.facts import Memory, MemoryController
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.reading import counter, names, word
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host

_EDAC = "/sys/devices/system/edac/mc"
# What the kernel calls the mode of a module that corrects nothing (drivers/edac/edac_mc_sysfs.c).
_UNPROTECTED = ("None", "Unknown", "Reserved", "PARITY", "EC", "")


def read(host: Host) -> Memory:
    """Return the memory; Absent where the firmware leaves no tables, ProbeError where only root may read them."""
    table = host.read_bytes(smbios.PATH)
    modules = smbios.memory_modules(table)
    return Memory(
        modules=modules,
        error_correction=smbios.error_correction(table),
        installed_bytes=sum(module.size_bytes for module in modules),
        kernel_bytes=kernel_bytes(host.read_text("/proc/meminfo")),
    )


def kernel_bytes(meminfo: str) -> int:
    """Return how much memory the kernel has, from the text of /proc/meminfo."""
    found = re.search(r"^MemTotal:\s*([0-9]{1,18}) kB$", meminfo, re.M)
    if found is None:
        raise ProbeError("/proc/meminfo names no MemTotal in kB")
    return int(found.group(1)) * 1024


def controllers(host: Host) -> tuple[MemoryController, ...]:
    """Return the memory controllers that EDAC watches; Absent when it watches none."""
    found = [name for name in names(host, _EDAC) if re.fullmatch(r"mc\d+", name)]
    if not found:
        raise Absent(f"no memory controller is watched: {_EDAC} has none (is a driver of EDAC loaded?)")
    return tuple(_controller(host, name) for name in found)


def _controller(host: Host, name: str) -> MemoryController:
    base = f"{_EDAC}/{name}"
    dimms = [each for each in names(host, base) if re.fullmatch(r"(dimm|rank)\d+", each)]
    return MemoryController(
        name=name,
        driver=word(host, f"{base}/mc_name"),
        corrected=counter(host, f"{base}/ce_count"),
        uncorrected=counter(host, f"{base}/ue_count"),
        counted_s=counter(host, f"{base}/seconds_since_reset"),
        unprotected=tuple(each for each in dimms if word(host, f"{base}/{each}/dimm_edac_mode") in _UNPROTECTED),
    )
