# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The hardware as controls look at it: profiles, memory, disks, links, firmware, and the management controller."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.hardware import (
    bmc,
    host_security,
    lines,
    match,
    memory,
    microcode_floors,
    network,
    pci,
    processor,
    storage,
    trust,
)
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.facts import GIB, PciDevice, plain
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError, ToolMissing
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_DAY_S = 86400


@probe("hardware_profile", required=("line",), source="sysfs, SMBIOS, /proc/cpuinfo, /proc/mdstat: {line}")
def hardware_profile(host: Host, params: Params) -> dict[str, str]:
    """Return {found: what there is, in words, PROFILE: meets}: a key for each shipped profile whose line is met."""
    return lines.measure(host, str(params["line"]))


@probe("microcode_floor", source="/proc/cpuinfo against the floors that Rampart ships")
def microcode_floor(host: Host, params: Params) -> dict[str, Any]:
    """Return {signature, revisions, floor, behind: revisions that are older, source, as_of}.

    Absent when no floor is known for this processor.
    """
    found = processor.read(host)
    revisions = [_revision(text) for text in found.microcode]
    floors = {each: microcode_floors.floor_of(found.signature, each) for each in revisions}
    known = [floor for floor in floors.values() if floor is not None]
    if not known:
        raise Absent(
            f"no floor is known for the processor {found.vendor} {found.signature}: nobody looked, or nobody says"
        )
    behind = [each for each, floor in floors.items() if floor is None or each < floor.revision]
    return {
        "signature": found.signature,
        "revisions": [f"0x{each:08x}" for each in revisions],
        "floor": f"0x{known[0].revision:08x}",
        "behind": [f"0x{each:08x}" for each in behind],
        "source": known[0].source,
        "as_of": microcode_floors.AS_OF,
    }


def _revision(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        raise ProbeError(f"/proc/cpuinfo names a microcode revision that is no number: {text[:40]!r}") from None


@probe("memory_modules", source="/sys/firmware/dmi/tables/DMI; /proc/meminfo")
def memory_modules(host: Host, params: Params) -> dict[str, Any]:
    """Return {modules: number, installed_gib, kernel_percent, error_correction: []}.

    `kernel_percent` is how much of what is plugged in the kernel has.
    """
    found = memory.read(host)
    if not found.installed_bytes:
        raise ProbeError("the firmware names no memory module with a size")
    return {
        "modules": len(found.modules),
        "installed_gib": found.installed_bytes // GIB,
        "kernel_percent": round(100 * found.kernel_bytes / found.installed_bytes, 1),
        "error_correction": list(found.error_correction),
    }


@probe("memory_errors", source="/sys/devices/system/edac/mc")
def memory_errors(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return [{name, driver, corrected, uncorrected, corrected_per_day, unprotected: modules without ECC}].

    Absent when no memory controller is watched. A day is counted as begun, so that a host that just started is not
    judged by a rate of its first minutes.
    """
    return [
        {
            "name": each.name,
            "driver": each.driver,
            "corrected": each.corrected,
            "uncorrected": each.uncorrected,
            "corrected_per_day": round(each.corrected / max(1.0, each.counted_s / _DAY_S), 2),
            "unprotected": list(each.unprotected),
        }
        for each in memory.controllers(host)
    ]


@probe("raid_arrays", source="/proc/mdstat")
def raid_arrays(host: Host, params: Params) -> dict[str, Any]:
    """Return {arrays: [{name, level, state, members, failed, busy_with}], degraded: [names], unprotected: [names]}.

    `degraded` lack a member or do not run; `unprotected` lose everything with one disk. Absent without an array.
    """
    found = storage.arrays(host)
    if not found:
        raise Absent("there is no software RAID")
    shown = ("name", "level", "state", "members", "failed", "busy_with")
    return {
        "arrays": [{name: plain(each)[name] for name in shown} for each in found],
        "degraded": [each.name for each in found if each.degraded],
        "unprotected": [each.name for each in found if each.level not in storage.REDUNDANT],
    }


@probe("nvme_states", source="/sys/class/nvme/*/state")
def nvme_states(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return [{name, state}] of the NVMe controllers; Absent when there is none."""
    return storage.nvme_states(host)


@probe("nvme_health", source="nvme smart-log")
def nvme_health(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return [{name, critical_warning, used_percent, media_errors, spare_percent, spare_left, ...}].

    Absent when there is no NVMe disk, or no nvme-cli to ask it.
    """
    try:
        return storage.nvme_health(host)
    except ToolMissing:
        raise Absent("not measured: nvme-cli is not installed, and the kernel itself does not tell") from None


@probe("pci_links", required=("of",), source="/sys/bus/pci/devices: {of}")
def pci_links(host: Host, params: Params) -> dict[str, Any]:
    """Return {devices: number, narrow: addresses with fewer lanes than both ends can, slow: of a lower generation}.

    `of` is gpu, network or nvme. Absent when the host has none of them whose link is told.
    """
    found = [each for each in _of(host, params) if each.width is not None and each.width_max is not None]
    if not found:
        raise Absent(f"the bus has no device of kind {params['of']} whose link is told")
    return {
        "devices": len(found),
        "narrow": [each.address for each in found if each.narrow],
        "slow": [each.address for each in found if each.slow],
    }


@probe("pci_errors", source="/sys/bus/pci/devices/*/aer_dev_*")
def pci_errors(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return [{name, model, correctable, nonfatal, fatal}] of GPUs, network adapters and NVMe disks.

    Absent when the kernel counts for none of them (AER).
    """
    devices = [each for kind in ("gpu", "network", "nvme") for each in pci.of_kind(host, kind)]
    counted = [(each, pci.errors(host, each.address)) for each in devices]
    found = [{"name": each.address, "model": each.model, **counts} for each, counts in counted if counts is not None]
    if not found:
        raise Absent("the kernel counts errors (AER) of no GPU, network adapter or NVMe disk")
    return found


@probe("gpu_affinity", source="/sys/bus/pci/devices/*/numa_node")
def gpu_affinity(host: Host, params: Params) -> dict[str, Any]:
    """Return {gpus: number, apart: GPUs without a network adapter on their NUMA node}; Absent without a GPU."""
    gpus = _gpus(host)
    fast = {port.pci_address for port in network.ports(host) if port.kind == "rdma"}
    nics = [each for each in pci.of_kind(host, "network") if each.address in fast]
    if not nics:
        raise Absent("no network adapter with RDMA is there for a GPU to be near to")
    return {"gpus": len(gpus), "apart": match.apart(gpus, nics)}


@probe("gpu_isolation", source="/sys/bus/pci/devices/*/{iommu_group,config}")
def gpu_isolation(host: Host, params: Params) -> dict[str, Any]:
    """Return {gpus, ungrouped: GPUs outside every IOMMU group, acs, bridges}; Absent without a GPU.

    `acs` is `on` when every bridge to a GPU sends traffic between devices through the root, `off` when none does, else
    `mixed`; `unable` when none of them can.
    """
    gpus = _gpus(host)
    redirects = {bridge: does for bridge, does in pci.gpu_acs(host).items() if does is not None}
    states = set(redirects.values())
    return {
        "gpus": len(gpus),
        "ungrouped": [each.address for each in gpus if each.iommu_group is None],
        "acs": "unable" if not states else "mixed" if len(states) > 1 else "on" if states == {True} else "off",
        "bridges": len(redirects),
    }


@probe("firmware_trust", source="/sys/firmware/efi; /sys/class/tpm; /sys/module/*/taint")
def firmware_trust(host: Host, params: Params) -> dict[str, Any]:
    """Return {uefi, secure_boot, setup_mode, lockdown, tpm_versions, tainting_modules}; null where nobody says."""
    found: dict[str, Any] = plain(trust.read(host))
    return found


@probe("dma_ports", source="/sys/bus/pci/devices; /sys/bus/thunderbolt/devices")
def dma_ports(host: Host, params: Params) -> dict[str, Any]:
    """Return {firewire: [addresses], thunderbolt: [{name, security, iommu_protected}]}."""
    return pci.dma_ports(host)


@probe("host_security", source="fwupdmgr security --json")
def host_security_id(host: Host, params: Params) -> dict[str, Any]:
    """Return {level: 0 to 5, failed: [{name, level, result}]} by fwupd; Absent when it is not installed."""
    return host_security.read(host)


@probe("management_controller", source="/sys/firmware/dmi/tables/DMI; /dev/ipmi0")
def management_controller(host: Host, params: Params) -> dict[str, Any]:
    """Return {interface, askable}; Absent when the board has no management controller."""
    return {"interface": bmc.interface(host), "askable": bmc.askable(host)}


@probe("management_channels", source="ipmitool channel info, lan print")
def management_channels(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return [{number, access, address, cipher_zero}] of the controller's channels to networks.

    Absent when there is no controller, or no tool and driver to ask it by.
    """
    found: list[dict[str, Any]] = plain(bmc.channels(host))
    return found


def _gpus(host: Host) -> tuple[PciDevice, ...]:
    gpus = pci.gpus(host)
    if not gpus:
        raise Absent("no data-centre GPU is on the bus")
    return gpus


def _of(host: Host, params: Params) -> tuple[PciDevice, ...]:
    if params["of"] not in ("gpu", "network", "nvme"):
        raise ProbeError(f"parameter of is {params['of']!r}, wanted gpu, network or nvme")
    return pci.of_kind(host, str(params["of"]))
