# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Which profiles a host meets, line by line: a pure comparison of facts with `profiles.py`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.rampart.fleet.plugins.module_utils.hardware.facts import (
    GIB,
    Array,
    Disk,
    Memory,
    PciDevice,
    Port,
    Processor,
)
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.pci import nearness
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.profiles import GpuLine, Profile
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.storage import REDUNDANT, disk_of

_NVSWITCHES_OF_HGX = 4
# Either is a claim of the firmware about the array of all modules.
_CORRECTING = ("single-bit", "multi-bit")


def cpu(profile: Profile, processor: Processor) -> bool:
    """Say whether the processors are of the wanted kind and have cores enough."""
    line = profile.cpu
    # Intel writes the whole name in capitals since its fifth generation.
    named = re.fullmatch(line.models, processor.model, re.IGNORECASE) is not None
    return named and processor.cores >= line.cores_min


def memory(profile: Profile, found: Memory) -> bool:
    """Say whether enough memory is plugged in."""
    return found.installed_bytes >= profile.memory.bytes_min


def ecc(profile: Profile, found: Memory) -> bool:
    """Say whether all of the memory is registered, and corrects errors by the firmware's word and its own width."""
    if not profile.memory.registered_ecc:
        return True
    corrects = bool(found.error_correction) and all(way in _CORRECTING for way in found.error_correction)
    return corrects and bool(found.modules) and all(each.registered and each.ecc is not False for each in found.modules)


def gpu(profile: Profile, gpus: Sequence[PciDevice], switches: int, hives: Iterable[str]) -> bool:
    """Say whether the GPUs are there, of the wanted model, and joined as the profile says."""
    fitting = _fitting(profile.gpu, gpus)
    if len(fitting) < profile.gpu.count_min:
        return False
    if profile.gpu.fabric == "nvswitch":
        return switches >= _NVSWITCHES_OF_HGX
    if profile.gpu.fabric == "xgmi":
        ids = list(hives)
        return len(set(ids)) == 1 and "" not in ids
    return True


def gpu_link(profile: Profile, gpus: Sequence[PciDevice]) -> bool:
    """Say whether every GPU has the lanes that are wanted now, and a link that can reach the generation.

    The generation in force is left to a measurement under load: an idle GPU lowers it.
    """
    line, fitting = profile.gpu, _fitting(profile.gpu, gpus)
    return bool(fitting) and all(_link_fits(line, each) for each in fitting)


def gpu_memory(profile: Profile, sizes: Sequence[int]) -> bool:
    """Say whether every GPU has the memory that is wanted, in bytes."""
    return all(size >= profile.gpu.memory_bytes_min for size in sizes)


def _link_fits(line: GpuLine, device: PciDevice) -> bool:
    width = line.width or device.width_max
    if device.width is None or width is None or device.width < width:
        return False
    return line.speed_gts is None or (device.speed_max_gts or 0.0) >= line.speed_gts


def _fitting(line: GpuLine, gpus: Sequence[PciDevice]) -> list[PciDevice]:
    return [each for each in gpus if not line.models or each.model in line.models]


def storage(profile: Profile, arrays: Sequence[Array], disks: Sequence[Disk], controllers: Sequence[PciDevice]) -> bool:
    """Say whether NVMe of the wanted size is in RAID: by the kernel, or behind a controller that the bus reports.

    What is behind a controller is counted as its disks show it; whether they are NVMe, only the controller knows.
    """
    usable = sum(array.size_bytes for array in arrays if array.level in REDUNDANT and of_nvme(array))
    carried = {each.address for each in controllers}
    behind = sum(disk.size_bytes for disk in disks if disk.pci_address in carried)
    return usable + behind >= profile.storage.raid_bytes_min


def of_nvme(array: Array) -> bool:
    """Say whether all members of an array are parts of NVMe disks."""
    return bool(array.members) and all(disk_of(member).startswith("nvme") for member in array.members)


def network(profile: Profile, ports: Sequence[Port], gpus: Sequence[PciDevice], nics: Sequence[PciDevice]) -> bool:
    """Say whether there are ports enough of the wanted speed, and with rails a near one for each GPU."""
    line = profile.network
    fast = {port.pci_address for port in ports if port.pci_address and (port.speed_gbps or 0.0) >= line.gbps_min}
    if len(fast) < line.ports_min:
        return False
    if not line.rails:
        return True
    rails = [nic for nic in nics if nic.address in fast]
    return bool(gpus) and all(any(nearness(each, nic) or _same_node(each, nic) for nic in rails) for each in gpus)


def _same_node(one: PciDevice, other: PciDevice) -> bool:
    return one.numa_node is not None and one.numa_node == other.numa_node


def apart(gpus: Sequence[PciDevice], nics: Sequence[PciDevice]) -> list[str]:
    """Return the GPUs that have no network adapter on their NUMA node, or whose node nobody knows."""
    nodes = {nic.numa_node for nic in nics if nic.numa_node is not None}
    return [each.address for each in gpus if each.numa_node is None or each.numa_node not in nodes]


def hypervisor(profile: Profile, virtualisation: Mapping[str, str]) -> bool:
    """Say whether a virtual machine runs on what the profile allows."""
    return virtualisation.get("name") in profile.hypervisor.names


def told_memory(found: Memory) -> str:
    """Return the memory in words."""
    kinds = sorted({f"{module.type}{' registered' if module.registered else ''}" for module in found.modules})
    ways = sorted(set(found.error_correction)) or ["not named"]
    return (
        f"{found.installed_bytes // GIB} GiB in {len(found.modules)} modules ({', '.join(kinds) or 'none'}), "
        f"error correction {', '.join(ways)}, {sum(module.ecc is False for module in found.modules)} without ECC"
    )
