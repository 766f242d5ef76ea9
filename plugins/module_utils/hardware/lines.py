# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The lines of a profile, measured on a host: which profiles it meets, and what was found instead."""

from __future__ import annotations

from collections import Counter
from typing import Callable

from ansible_collections.rampart.fleet.plugins.module_utils.gpu.ask import smi_log
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.facts import Number
from ansible_collections.rampart.fleet.plugins.module_utils.hardware import (
    match,
    memory,
    network,
    pci,
    processor,
    storage,
)
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.facts import PciDevice
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.profiles import PROFILES, Profile
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.reading import counter
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.virtualisation import detect
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host

Judge = Callable[[Profile], bool]
Line = Callable[[Host], "tuple[Judge, str]"]


def measure(host: Host, line: str) -> dict[str, str]:
    """Return {found: what there is, in words, PROFILE: meets}, with a key for each profile whose line the host meets.

    Absent where the host has nothing that the line is about; ProbeError for a line that no profile has.
    """
    if line not in _LINES:
        raise ProbeError(f"a profile has no line '{line}', wanted one of {', '.join(_LINES)}")
    judge, found = _LINES[line](host)
    return {"found": found, **{name: "meets" for name, profile in PROFILES.items() if judge(profile)}}


def _cpu(host: Host) -> tuple[Judge, str]:
    found = processor.read(host)
    return (
        lambda profile: match.cpu(profile, found),
        f"{found.sockets} x {found.model}, {found.cores} cores, {found.threads} threads",
    )


def _memory(host: Host) -> tuple[Judge, str]:
    found = memory.read(host)
    return lambda profile: match.memory(profile, found), match.told_memory(found)


def _ecc(host: Host) -> tuple[Judge, str]:
    found = memory.read(host)
    return lambda profile: match.ecc(profile, found), match.told_memory(found)


def _gpu(host: Host) -> tuple[Judge, str]:
    gpus = pci.gpus(host)
    switches = sum(each.model in pci.NVSWITCHES for each in pci.devices(host))
    hives = [pci.hive(host, each.address) for each in gpus]
    joined = len(set(filter(None, hives)))
    told = f"{_counted(gpus)}; {switches} NVSwitches, {joined} hives of XGMI"
    return lambda profile: match.gpu(profile, gpus, switches, hives), told


def _gpu_link(host: Host) -> tuple[Judge, str]:
    gpus = pci.gpus(host)
    links = Counter(f"x{each.width} of x{each.width_max}, up to {each.speed_max_gts} GT/s" for each in gpus)
    told = "; ".join(f"{number} at {link}" for link, number in links.items())
    return lambda profile: match.gpu_link(profile, gpus), told or "no GPU"


def _gpu_memory(host: Host) -> tuple[Judge, str]:
    sizes = [_vram_bytes(host, each) for each in pci.gpus(host) if each.vendor == "1002"]
    if any(each.vendor == "10de" for each in pci.gpus(host)):
        sizes += [_told_bytes(each.memory_total_mib, each.bus_id) for each in smi_log(host).gpus]
    if not sizes:
        raise Absent("no data-centre GPU is on the bus")
    told = ", ".join(f"{number} x {size / 1e9:.1f} GB" for size, number in Counter(sizes).items())
    return lambda profile: match.gpu_memory(profile, sizes), told


def _vram_bytes(host: Host, device: PciDevice) -> int:
    try:
        return counter(host, f"{pci.DEVICES}/{device.address}/mem_info_vram_total")
    except Absent:
        raise ProbeError(f"nobody says how much memory {device.address} has: is amdgpu its driver?") from None


def _told_bytes(mib: Number, bus_id: str) -> int:
    if isinstance(mib, int):
        return mib * 1024**2
    raise ProbeError(f"the driver does not say how much memory {bus_id} has: {mib}")


def _storage(host: Host) -> tuple[Judge, str]:
    found, disks, controllers = storage.arrays(host), storage.disks(host), pci.of_kind(host, "raid")
    told = [f"{each.name} {each.level} of {len(each.members)}, {each.size_bytes / 1e12:.2f} TB" for each in found]
    told += [f"RAID controller {each.address} ({each.model})" for each in controllers]
    nvme = [disk for disk in disks if disk.kind == "nvme"]
    told.append(f"{len(nvme)} NVMe of {sum(disk.size_bytes for disk in nvme) / 1e12:.2f} TB together")
    return lambda profile: match.storage(profile, found, disks, controllers), "; ".join(told)


def _network(host: Host) -> tuple[Judge, str]:
    ports, gpus, nics = network.ports(host), pci.gpus(host), pci.of_kind(host, "network")
    speeds = Counter(port.speed_gbps for port in ports if port.pci_address)
    told = ", ".join(
        f"{number} at {'no link' if speed is None else f'{speed:g} Gb/s'}" for speed, number in speeds.items()
    )
    return lambda profile: match.network(profile, ports, gpus, nics), told or "no port"


def _hypervisor(host: Host) -> tuple[Judge, str]:
    found = detect(host)
    return lambda profile: match.hypervisor(profile, found), found["name"]


def _counted(gpus: tuple[PciDevice, ...]) -> str:
    models = Counter(each.model for each in gpus)
    return ", ".join(f"{number} x {model}" for model, number in models.items()) or "no data-centre GPU"


_LINES: dict[str, Line] = {
    "cpu": _cpu,
    "memory": _memory,
    "ecc": _ecc,
    "gpu": _gpu,
    "gpu_link": _gpu_link,
    "gpu_memory": _gpu_memory,
    "storage": _storage,
    "network": _network,
    "hypervisor": _hypervisor,
}
