# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Recorded hosts that carry a node's GPUs: devices, tools, packages, services, and the container toolkit."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import CommandResult, FileStat

from tests.recordings.amd import AmdNode
from tests.recordings.nvidia import BUSES, NvidiaNode
from tests.unit.posture.recorded_host import Outcome, RecordedHost

KERNEL_LINE = "journalctl _TRANSPORT=kernel --lines=1 --output=cat --quiet"
XIDS = "journalctl _TRANSPORT=kernel --since=-24h --output=short-unix --quiet --no-pager --grep=Xid"
GROUPS = {0: "root", 44: "video", 989: "gpu"}
VIDEO = 44

CONFIG = "/etc/nvidia-container-runtime/config.toml"
TOOLKIT = """\
accept-nvidia-visible-devices-envvar-when-unprivileged = false

[nvidia-container-cli]
no-cgroups = false
ldconfig = "@/sbin/ldconfig"

[nvidia-container-runtime]
mode = "cdi"
"""
CDI_FILE = "/etc/cdi/nvidia.yaml"
CDI = """\
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
  - name: "0"
    containerEdits:
      deviceNodes:
        - path: /dev/nvidia0
containerEdits:
  deviceNodes:
    - path: /dev/nvidiactl
      hostPath: /dev/nvidiactl
"""
PACKAGES = {
    "libnvidia-compute": "580.159.03-1",
    "nvidia-fabricmanager": "580.159.03-1",
    "nvidia-container-toolkit-base": "1.19.1-1",
    "datacenter-gpu-manager-4-core": "1:4.5.3-1",
    "datacenter-gpu-manager-4-cuda13": "1:4.5.3-1",
    "libnccl2": "2.28.3-1+cuda13.0",
}
# DeviceFileMode is 0660 in the decimal digits that the module prints.
PARAMS = {"DeviceFileGID": VIDEO, "DeviceFileMode": 0o660, "ModifyDeviceFiles": 1, "RmProfilingAdminOnly": 1}


@dataclass(frozen=True)
class Unit:
    """A service: what it is now, at the next boot, and its process."""

    active: str = "active"
    at_boot: str = "enabled"
    pid: int = 0
    uid: int = 0


@dataclass
class GpuHost(RecordedHost):
    """A recorded host with services."""

    units: Mapping[str, Unit] = field(default_factory=dict)

    def which(self, tool: str) -> str | None:
        return "/usr/bin/systemctl" if tool == "systemctl" else super().which(tool)

    def run(self, argv: Sequence[str], timeout: float = 5.0, stdin: str = "") -> CommandResult:
        if argv[0] != "systemctl":
            return super().run(argv, timeout, stdin)
        unit = self.units.get(argv[-1])
        if argv[1] == "is-enabled":
            return CommandResult(tuple(argv), 0, (unit.at_boot if unit else "not-found") + "\n", "")
        shown = f"LoadState=loaded\nActiveState={unit.active}\nMainPID={unit.pid}\n" if unit else ""
        return CommandResult(tuple(argv), 0, shown or "LoadState=not-found\nActiveState=inactive\n", "")


@dataclass
class Machine:
    """A machine with NVIDIA GPUs, all of it as it should be; a test changes one thing and takes the host."""

    node: NvidiaNode = field(default_factory=NvidiaNode)
    on_bus: int = len(BUSES)
    xids: str = ""
    device_mode: str = "0660"
    device_group: int = VIDEO
    params: dict[str, int] = field(default_factory=lambda: dict(PARAMS))
    packages: dict[str, str] = field(default_factory=lambda: dict(PACKAGES))
    held: bool = True
    module: str = ""
    toolkit: str = TOOLKIT
    cdi: str = CDI
    modes: dict[str, tuple[str, int]] = field(default_factory=dict)
    #: The control group of each process that uses a GPU
    cgroups: dict[int, str] = field(default_factory=dict)
    fabric_manager: Unit = field(default_factory=Unit)
    persistenced: Unit = field(default_factory=lambda: Unit(pid=800, uid=101))
    #: Where the engine of DCGM listens, as the kernel writes it: 127.0.0.1:5555
    dcgm_listens: str = "0100007F:15B3"
    confidential: dict[str, str] = field(default_factory=lambda: {"-f": "CC status: ON", "-d": "DevTools Mode: OFF"})
    commands: dict[str, Outcome] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def host(self) -> GpuHost:
        """The host as probes see it."""
        return GpuHost(
            files={
                **_pci("0x10de", "0x030200", [f"0000:{bus}:00.0" for bus in BUSES[: self.on_bus]]),
                "/proc/driver/nvidia/version": module_version(self.module or self.node.driver),
                "/proc/driver/nvidia/params": "".join(f"{name}: {value}\n" for name, value in self.params.items()),
                "/var/lib/dpkg/status": dpkg_status(self.packages, self.held),
                CONFIG: self.toolkit,
                CDI_FILE: self.cdi,
                **{f"/proc/{pid}/cgroup": f"0::{path}\n" for pid, path in self.cgroups.items()},
                "/lib/systemd/system/nvidia-fabricmanager.service": "[Service]\n",
                **_process(self.persistenced),
                **_listener(self.dcgm_listens),
                **self.files,
            },
            stats={**device_files(len(BUSES), self.device_mode, self.device_group), **self._modes()},
            links={"/proc/900/fd/3": "socket:[777]"},
            commands={
                "nvidia-smi -q -x": self.node.xml(),
                "nvidia-smi --query-gpu=pci.bus_id,inforom.checksum_validation --format=csv": self.node.inforom_csv(),
                "nvidia-smi nvlink -s": self.node.nvlink(),
                **{f"nvidia-smi conf-compute {option}": said + "\n" for option, said in self.confidential.items()},
                KERNEL_LINE: "a message\n",
                XIDS: (0, self.xids, "") if self.xids else (1, "", ""),
                **self.commands,
            },
            groups=GROUPS,
            units={
                "nvidia-fabricmanager.service": self.fabric_manager,
                "nvidia-persistenced.service": self.persistenced,
            },
        )

    def _modes(self) -> dict[str, FileStat]:
        return {path: FileStat(stat.S_IFREG | int(mode, 8), owner, 0) for path, (mode, owner) in self.modes.items()}


def amd_host(node: AmdNode, commands: Mapping[str, Outcome] | None = None, mode: str = "0660") -> RecordedHost:
    """A machine with the GPUs of a node."""
    buses = [str(gpu["bus"]["bdf"]) for gpu in node.static]
    return RecordedHost(
        files=_pci("0x1002", "0x120000", buses),
        stats={"/dev/kfd": char(mode, VIDEO)},
        commands={
            "amd-smi static --json": node.static_json(),
            "amd-smi metric --json": node.metric_json(),
            **(commands or {}),
        },
        groups=GROUPS,
    )


def module_version(driver: str) -> str:
    """What /proc/driver/nvidia/version says."""
    return f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {driver}  Release Build\nGCC version: 12.2.0\n"


def dpkg_status(packages: Mapping[str, str], held: bool) -> str:
    """The database of dpkg."""
    want = "hold" if held else "install"
    return "\n\n".join(
        f"Package: {name}\nStatus: {want} ok installed\nArchitecture: amd64\nVersion: {version}"
        for name, version in packages.items()
    )


def device_files(count: int, mode: str = "0660", group: int = VIDEO) -> dict[str, FileStat]:
    """The device files of a node."""
    names = ["nvidiactl", "nvidia-uvm", *(f"nvidia{number}" for number in range(count))]
    return {f"/dev/{name}": char(mode, group) for name in names}


def char(mode: str, group: int, owner: int = 0) -> FileStat:
    """A character device."""
    return FileStat(stat.S_IFCHR | int(mode, 8), owner, group)


def _process(unit: Unit) -> dict[str, str]:
    base = f"/proc/{unit.pid}"
    return {
        f"{base}/limits": "Limit\n",
        f"{base}/status": f"Name:\tnvidia-persiste\nUid:\t{unit.uid}\t{unit.uid}\t{unit.uid}\t{unit.uid}\n",
        f"{base}/cmdline": "nvidia-persistenced\0",
    }


def _listener(address: str) -> dict[str, str]:
    line = f"   0: {address} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1\n"
    return {"/proc/net/tcp": "  sl  local_address rem_address   st\n" + line, "/proc/900/comm": "nv-hostengine\n"}


def _pci(vendor: str, kind: str, buses: list[str]) -> dict[str, str]:
    base = "/sys/bus/pci/devices/"
    files = {f"{base}{bus}/vendor": vendor + "\n" for bus in buses}
    return {**files, **{f"{base}{bus}/class": kind + "\n" for bus in buses}}
