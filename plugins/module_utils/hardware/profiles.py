# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Hardware profiles as data: what a kind of GPU server is made of. Every figure stands beside its source."""

from __future__ import annotations

from dataclasses import dataclass

GIB, GB, TB = 1024**3, 10**9, 10**12

_MISSION = "the hardware table of the collection's own mission"
_HGX = "Azure/azurehpc-health-checks@0e0a1ac conf/nd96isr_h100_v5.conf: 8 GPUs, 8 x InfiniBand 400"
_BOARD = "lspci of a PowerEdge XE9680 (leptonai/gpud@4a8de33): 8 x 10de:2330 at 32 GT/s x16, 4 x 10de:22a3"
_MI300X = "Azure/azurehpc-health-checks@0e0a1ac: 8 x MI300X, 8 x InfiniBand 400"
_PCI_IDS = "pci.ids"


@dataclass(frozen=True)
class CpuLine:
    """Processors: a pattern for the model's name, and physical cores of all sockets together."""

    models: str
    cores_min: int
    source: str


@dataclass(frozen=True)
class MemoryLine:
    """Main memory: at least so much; registered modules with ECC."""

    bytes_min: int
    registered_ecc: bool
    source: str


@dataclass(frozen=True)
class GpuLine:
    """GPUs: at least so many with so much memory, of these models (`vendor:device`; none: any for data centres).

    `fabric` is `nvswitch`, `xgmi`, or empty; `speed_gts` and `width` are what the slots must offer (None: what
    the GPU itself can).
    """

    count_min: int
    memory_bytes_min: int
    models: tuple[str, ...]
    fabric: str
    speed_gts: float | None
    width: int | None
    source: str


@dataclass(frozen=True)
class StorageLine:
    """NVMe in RAID: usable bytes of arrays that survive the loss of a disk."""

    raid_bytes_min: int
    source: str


@dataclass(frozen=True)
class NetworkLine:
    """Network: ports (counted by PCI device) at this speed or faster; `rails`: each GPU has one of its own near it."""

    ports_min: int
    gbps_min: float
    rails: bool
    source: str


@dataclass(frozen=True)
class HypervisorLine:
    """What a virtual machine may run on, by the names of systemd-detect-virt(1); Nitro is KVM."""

    names: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Profile:
    """A kind of GPU server."""

    name: str
    meaning: str
    cpu: CpuLine
    memory: MemoryLine
    gpu: GpuLine
    storage: StorageLine
    network: NetworkLine
    hypervisor: HypervisorLine


# "Xeon Scalable" is no part of the model's name: its families are called Bronze to Platinum, Max, and 6 since 2024.
_SERVER_CPUS = r".*(Xeon(\(R\))? .*(Bronze|Silver|Gold|Platinum|Max|CPU Max|6[5-9]\d\d[PE]).*|EPYC.*)"
_CPU = CpuLine(_SERVER_CPUS, 16, _MISSION)
_MEMORY = MemoryLine(128 * GIB, True, _MISSION)
_STORAGE = StorageLine(2 * TB, _MISSION)
_HYPERVISORS = HypervisorLine(("kvm", "amazon", "google", "xen", "vmware"), _MISSION)


def _node(name: str, meaning: str, gpu: GpuLine, network: NetworkLine) -> Profile:
    return Profile(name, meaning, _CPU, _MEMORY, gpu, _STORAGE, network, _HYPERVISORS)


PROFILES = {
    profile.name: profile
    for profile in (
        _node(
            "ai-server",
            "a server for inference or small training, with at least one data-centre GPU",
            GpuLine(1, 24 * GB, (), "", None, None, _MISSION),
            NetworkLine(1, 10.0, False, _MISSION),
        ),
        _node(
            "hgx-h100",
            "eight H100 SXM behind four NVSwitches, with a rail for each",
            GpuLine(8, 80 * GB, ("10de:2330",), "nvswitch", 32.0, 16, f"{_HGX}; {_BOARD}; {_PCI_IDS} (H100 SXM5 80GB)"),
            NetworkLine(8, 400.0, True, _HGX),
        ),
        _node(
            "hgx-h200",
            "eight H200 SXM behind four NVSwitches, with a rail for each",
            GpuLine(
                8,
                141 * GB,
                ("10de:2335",),
                "nvswitch",
                32.0,
                16,
                f"{_PCI_IDS} (10de:2335, H200 SXM 141GB); the board is that of hgx-h100: {_HGX}",
            ),
            NetworkLine(8, 400.0, True, _HGX),
        ),
        _node(
            "mi300x",
            "eight MI300X in one hive of XGMI, with a rail for each",
            GpuLine(
                8,
                192 * GB,
                ("1002:74a1",),
                "xgmi",
                32.0,
                16,
                f"{_MI300X}; {_PCI_IDS} (1002:74a1); 192 GB and PCIe 5.0 x16 by AMD's data sheet",
            ),
            NetworkLine(8, 400.0, True, _MI300X),
        ),
    )
}
