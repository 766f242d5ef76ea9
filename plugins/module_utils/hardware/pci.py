# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The PCI bus: what is on it, the links it runs at, the errors that it counted, and whether GPUs reach each other."""

from __future__ import annotations

import re
import struct
from dataclasses import replace

from ansible_collections.rampart.fleet.plugins.module_utils.hardware.facts import PciDevice
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.reading import (
    addresses_in,
    link_name,
    names,
    number,
    word,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host

DEVICES = "/sys/bus/pci/devices"

#: Classes of pci.ids by what they are here; a prefix of the six digits.
CLASSES = {
    "nvme": ("010802",),
    "raid": ("0104",),
    "network": ("0200", "0207"),
    "firewire": ("0c0010",),
}
# A data-centre GPU of NVIDIA has no display and is a 3D controller; AMD's Instinct is one of the other two.
_GPU_CLASSES = {"10de": ("0302",), "1002": ("0380", "1200")}
# NVSwitch of the third generation, as HGX boards with Hopper have four of.
NVSWITCHES = ("10de:22a3",)

# PCI Express Base Specification, 7.7.11: Access Control Services. What sends traffic between two devices up to the
# root is P2P request redirect, completion redirect and egress control; the kernel's disable_acs_redir= clears these.
_ACS, _ACS_CONTROL = 0x000D, 6
_REDIRECTS = 0x04 | 0x08 | 0x20
_EXTENDED_AT, _CONFIG_BYTES = 0x100, 4096
_COUNTS = {"correctable": "COR", "nonfatal": "NONFATAL", "fatal": "FATAL"}


def devices(host: Host) -> tuple[PciDevice, ...]:
    """Return every device with its class, model and driver; Absent when the host has no PCI bus."""
    return host.once("hardware.pci.devices", lambda: tuple(_device(host, name) for name in host.listdir(DEVICES)))


def gpus(host: Host) -> tuple[PciDevice, ...]:
    """Return the data-centre GPUs with all that is known of them."""
    return tuple(detailed(host, each) for each in devices(host) if is_gpu(each))


def of_kind(host: Host, kind: str) -> tuple[PciDevice, ...]:
    """Return the devices of a kind of `CLASSES`, or `gpu`, with all that is known of them."""
    if kind == "gpu":
        return gpus(host)
    return tuple(detailed(host, each) for each in devices(host) if each.class_code.startswith(CLASSES[kind]))


def is_gpu(device: PciDevice) -> bool:
    """Say whether a device is a data-centre GPU."""
    return device.class_code.startswith(_GPU_CLASSES.get(device.vendor, ("none",)))


def detailed(host: Host, device: PciDevice) -> PciDevice:
    """Return the device with its place on the bus and its link."""
    return host.once(f"hardware.pci.{device.address}", lambda: _detailed(host, device))


def _device(host: Host, address: str) -> PciDevice:
    pairs = dict(line.split("=", 1) for line in word(host, f"{DEVICES}/{address}/uevent").splitlines() if "=" in line)
    vendor, _unused, model = pairs.get("PCI_ID", "").lower().partition(":")
    return PciDevice(address, pairs.get("PCI_CLASS", "").lower().zfill(6), vendor, model, pairs.get("DRIVER", ""))


def _detailed(host: Host, device: PciDevice) -> PciDevice:
    base = f"{DEVICES}/{device.address}"
    node = number(host, f"{base}/numa_node")
    group = link_name(host, f"{base}/iommu_group")
    bridges = _bridges(host, device.address)
    port = f"{DEVICES}/{bridges[-1]}" if bridges else ""
    return replace(
        device,
        # The kernel says -1 where the firmware names no node.
        numa_node=node if node is not None and node >= 0 else None,
        iommu_group=int(group) if re.fullmatch(r"[0-9]{1,9}", group) else None,
        width=_width(number(host, f"{base}/current_link_width")),
        width_max=_width(number(host, f"{base}/max_link_width")),
        speed_gts=_speed(word(host, f"{base}/current_link_speed")),
        speed_max_gts=_speed(word(host, f"{base}/max_link_speed")),
        port_width_max=_width(number(host, f"{port}/max_link_width")) if port else None,
        port_speed_max_gts=_speed(word(host, f"{port}/max_link_speed")) if port else None,
        bridges=bridges,
    )


def _width(lanes: int | None) -> int | None:
    # 255 stands for a link whose width the device does not know, and a width of 0 for no link.
    return lanes if lanes is not None and 0 < lanes < 255 else None


def _speed(text: str) -> float | None:
    found = re.match(r"([0-9]{1,3}(?:\.[0-9]{1,2})?) GT/s", text)
    return float(found.group(1)) if found else None


def _bridges(host: Host, address: str) -> tuple[str, ...]:
    try:
        path = addresses_in(host.readlink(f"{DEVICES}/{address}"))
    except (Absent, ProbeError):
        return ()
    return tuple(path[:-1]) if path and path[-1] == address else ()


def nearness(one: PciDevice, other: PciDevice) -> int:
    """Return how many bridges two devices share: more is nearer, and with 0 traffic runs through the processors."""
    shared = 0
    for mine, theirs in zip(one.bridges, other.bridges):
        if mine != theirs:
            break
        shared += 1
    return shared


def acs_redirects(config: bytes) -> bool | None:
    """Say whether a bridge sends traffic between the devices below it up to the root; None when it cannot do that.

    `config` is its configuration space. ProbeError when only a part of it was given, as to all but root.
    """
    if len(config) <= 64:
        raise ProbeError(
            f"{len(config)} bytes of the configuration space may be read, and ACS is behind byte 256: be root"
        )
    at, seen = _EXTENDED_AT, set()
    while at and at not in seen and at + 8 <= min(len(config), _CONFIG_BYTES):
        seen.add(at)
        (header,) = struct.unpack_from("<I", config, at)
        if header in (0, 0xFFFFFFFF):
            return None
        if header & 0xFFFF == _ACS:
            (control,) = struct.unpack_from("<H", config, at + _ACS_CONTROL)
            return bool(control & _REDIRECTS)
        at = header >> 20 & 0xFFC
    return None


def gpu_acs(host: Host) -> dict[str, bool | None]:
    """Return what `acs_redirects` says of every bridge that leads to a GPU, by address."""
    above = dict.fromkeys(bridge for gpu in gpus(host) for bridge in gpu.bridges)
    return {bridge: acs_redirects(host.read_bytes(f"{DEVICES}/{bridge}/config")) for bridge in above}


def errors(host: Host, address: str) -> dict[str, int] | None:
    """Return {correctable, nonfatal, fatal} that a device has reported; None when the kernel does not count (AER)."""
    counts = {}
    for kind, total in _COUNTS.items():
        found = re.search(
            rf"^TOTAL_ERR_{total} ([0-9]{{1,20}})$", word(host, f"{DEVICES}/{address}/aer_dev_{kind}"), re.M
        )
        if found is None:
            return None
        counts[kind] = int(found.group(1))
    return counts


def hive(host: Host, address: str) -> str:
    """Return the id of the hive of XGMI that an AMD GPU is part of; empty when it is in none."""
    identity = word(host, f"{DEVICES}/{address}/xgmi_hive_info/xgmi_hive_id")
    return identity if identity not in ("", "0") else ""


def dma_ports(host: Host) -> dict[str, list[object]]:
    """Return {firewire: [addresses], thunderbolt: [{name, security, iommu_protected}]}: ports through which who plugs
    something in reaches memory."""
    base = "/sys/bus/thunderbolt/devices"
    domains = [name for name in names(host, base) if name.startswith("domain")]
    return {
        "firewire": [each.address for each in of_kind(host, "firewire")],
        "thunderbolt": [
            {
                "name": name,
                "security": word(host, f"{base}/{name}/security"),
                "iommu_protected": word(host, f"{base}/{name}/iommu_dma_protection") == "1",
            }
            for name in domains
        ],
    }
