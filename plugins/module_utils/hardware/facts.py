# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the hardware of a host is, as typed values; units stand in the names, and None means that nobody says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

GIB = 1024**3


@dataclass(frozen=True)
class Identity:
    """Who made the machine and its firmware. Serial numbers are left out: they are no business of a report."""

    vendor: str
    product: str
    board: str
    firmware_vendor: str
    firmware_version: str
    firmware_date: str


@dataclass(frozen=True)
class Processor:
    """The processors together. `signature` is family-model-stepping in hexadecimal, as Intel names microcode files."""

    vendor: str
    model: str
    signature: str
    sockets: int
    cores: int
    threads: int
    offline: str
    numa_nodes: int
    microcode: tuple[str, ...]


@dataclass(frozen=True)
class MemoryModule:
    """One module that is plugged in."""

    slot: str
    size_bytes: int
    type: str
    total_width_bits: int | None
    data_width_bits: int | None
    registered: bool
    rated_mts: int | None
    configured_mts: int | None

    @property
    def ecc(self) -> bool | None:
        """Say whether it stores more than the data, 72 or 80 bits for 64; None when the firmware names no widths."""
        if self.total_width_bits is None or self.data_width_bits is None:
            return None
        return self.total_width_bits > self.data_width_bits


@dataclass(frozen=True)
class Memory:
    """What is plugged in, by the firmware, and how much of it the kernel has."""

    modules: tuple[MemoryModule, ...]
    error_correction: tuple[str, ...]
    installed_bytes: int
    kernel_bytes: int


@dataclass(frozen=True)
class MemoryController:
    """Errors that one memory controller has counted, by EDAC; `unprotected` names modules that run without ECC."""

    name: str
    driver: str
    corrected: int
    uncorrected: int
    counted_s: int
    unprotected: tuple[str, ...]


@dataclass(frozen=True)
class Disk:
    """A disk as the kernel has it; `kind` is nvme, ssd or hdd."""

    name: str
    kind: str
    size_bytes: int
    model: str
    pci_address: str | None


@dataclass(frozen=True)
class Array:
    """A software RAID. `working` and `wanted` count members, and are None for a level without redundancy."""

    name: str
    level: str
    state: str
    size_bytes: int
    members: tuple[str, ...]
    failed: tuple[str, ...]
    wanted: int | None
    working: int | None
    busy_with: str

    @property
    def degraded(self) -> bool:
        """Say whether a member has failed or is missing, or the array does not run at all."""
        missing = self.wanted is not None and self.working is not None and self.working < self.wanted
        return missing or bool(self.failed) or not self.state.startswith("active")


@dataclass(frozen=True)
class PciDevice:
    """A device on the PCI bus: `width` and `speed_gts` of its link now, what it can, and what the port above it can.

    `bridges` lead to it, the root port first; `class_code` has six hexadecimal digits.
    """

    address: str
    class_code: str
    vendor: str
    device: str
    driver: str
    numa_node: int | None = None
    iommu_group: int | None = None
    width: int | None = None
    width_max: int | None = None
    speed_gts: float | None = None
    speed_max_gts: float | None = None
    port_width_max: int | None = None
    port_speed_max_gts: float | None = None
    bridges: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        """Return vendor and device as `10de:2330`."""
        return f"{self.vendor}:{self.device}"

    @property
    def narrow(self) -> bool:
        """Say whether the link has fewer lanes than both of its ends can. A board may well give a device fewer."""
        return _below(self.width, self.width_max, self.port_width_max)

    @property
    def slow(self) -> bool:
        """Say whether the link runs below the generation that both of its ends can."""
        return _below(self.speed_gts, self.speed_max_gts, self.port_speed_max_gts)


@dataclass(frozen=True)
class Port:
    """A network port: an interface, or the RDMA side of one; `speed_gbps` is None while there is no link."""

    name: str
    kind: str
    driver: str
    speed_gbps: float | None
    up: bool
    pci_address: str | None
    numa_node: int | None


@dataclass(frozen=True)
class Trust:
    """What the host's start rests on; `secure_boot` and `setup_mode` are None where the firmware does not say."""

    uefi: bool
    secure_boot: bool | None
    setup_mode: bool | None
    lockdown: str | None
    tpm_versions: tuple[str, ...]
    tainting_modules: tuple[str, ...]


@dataclass(frozen=True)
class Channel:
    """A channel of the management controller to a network."""

    number: int
    access: str
    address: str
    cipher_zero: bool | None


def _below(now: float | None, *limits: float | None) -> bool:
    known = [limit for limit in limits if limit is not None]
    return now is not None and bool(known) and now < min(known)


def plain(value: Any) -> Any:
    """Return a value of this file, or a tuple of them, as JSON has it."""
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(part) for name, part in asdict(value).items()}
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    return value
