# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Recorded hosts that carry a node's GPUs: devices, tools, and what the kernel module says."""

from __future__ import annotations

import stat
from collections.abc import Mapping

from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import FileStat

from tests.recordings.amd import AmdNode
from tests.recordings.nvidia import BUSES, NvidiaNode
from tests.unit.posture.recorded_host import Outcome, RecordedHost

KERNEL_LINE = "journalctl --dmesg --lines=1 --output=cat --quiet"
XIDS = "journalctl _TRANSPORT=kernel --since=-{hours}h --output=short-unix --quiet --no-pager --grep=Xid"
PARAMS = "DeviceFileUID: 0\nDeviceFileGID: 44\nDeviceFileMode: 432\nModifyDeviceFiles: 1\nRmProfilingAdminOnly: 1\n"
GROUPS = {0: "root", 44: "video", 989: "gpu"}


def nvidia_host(
    node: NvidiaNode,
    commands: Mapping[str, Outcome] | None = None,
    files: Mapping[str, str] | None = None,
    buses: int | None = None,
    xids: str = "",
) -> RecordedHost:
    """A machine with the GPUs of a node; `buses` of them are on the PCI bus, `xids` are lines of the kernel's log."""
    answers: dict[str | tuple[str, ...], Outcome] = {
        "nvidia-smi -q -x": node.xml(),
        "nvidia-smi --query-gpu=pci.bus_id,inforom.checksum_validation --format=csv": node.inforom_csv(),
        "nvidia-smi nvlink -s": node.nvlink(),
        KERNEL_LINE: "a message\n",
        **{XIDS.format(hours=hours): (0, xids, "") if xids else (1, "", "") for hours in (24, 720)},
        **(commands or {}),
    }
    return RecordedHost(
        files={
            **_pci("0x10de", "0x030200", [f"0000:{bus}:00.0" for bus in BUSES[: buses or len(node.gpus)]]),
            "/proc/driver/nvidia/version": module_version(node.driver),
            "/proc/driver/nvidia/params": PARAMS,
            **(files or {}),
        },
        stats=device_files(len(node.gpus)),
        commands=answers,
        groups=GROUPS,
    )


def amd_host(node: AmdNode) -> RecordedHost:
    """A machine with the GPUs of a node."""
    buses = [str(gpu["bus"]["bdf"]) for gpu in node.static]
    return RecordedHost(
        files=_pci("0x1002", "0x120000", buses),
        stats={"/dev/kfd": char("0660", 44)},
        commands={"amd-smi static --json": node.static_json(), "amd-smi metric --json": node.metric_json()},
        groups=GROUPS,
    )


def module_version(driver: str) -> str:
    """What /proc/driver/nvidia/version says."""
    return f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {driver}  Release Build\nGCC version: 12.2.0\n"


def device_files(count: int, mode: str = "0660", group: int = 44) -> dict[str, FileStat]:
    """The device files of a node."""
    names = ["nvidiactl", "nvidia-uvm", *(f"nvidia{number}" for number in range(count))]
    return {f"/dev/{name}": char(mode, group) for name in names}


def char(mode: str, group: int, owner: int = 0) -> FileStat:
    """A character device."""
    return FileStat(stat.S_IFCHR | int(mode, 8), owner, group)


def _pci(vendor: str, kind: str, buses: list[str]) -> dict[str, str]:
    base = "/sys/bus/pci/devices/"
    files = {f"{base}{bus}/vendor": vendor + "\n" for bus in buses}
    return {**files, **{f"{base}{bus}/class": kind + "\n" for bus in buses}}
