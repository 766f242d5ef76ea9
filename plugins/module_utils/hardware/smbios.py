# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The tables that the firmware leaves about the machine (SMBIOS, DMTF DSP0134): memory, and who manages the board.

They are read as the kernel keeps them in /sys/firmware/dmi/tables/DMI, so that no tool is needed; only root may.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.rampart.fleet.plugins.module_utils.hardware.facts import MemoryModule
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError

PATH = "/sys/firmware/dmi/tables/DMI"

_MEMORY_ARRAY, _MEMORY_DEVICE, _IPMI, _END = 16, 17, 38, 127
_UNKNOWN, _UNKNOWN_SPEED = 0xFFFF, (0, 0xFFFF)
_SIZE_ELSEWHERE, _IN_KIB = 0x7FFF, 0x8000
_REGISTERED = 1 << 13
# Use 3 of a memory array is system memory; others are video and flash.
_SYSTEM_MEMORY = 3
_CORRECTION = {1: "other", 2: "unknown", 3: "none", 4: "parity", 5: "single-bit", 6: "multi-bit", 7: "crc"}
_TYPES = {
    0x12: "DDR",
    0x13: "DDR2",
    0x18: "DDR3",
    0x1A: "DDR4",
    0x1E: "LPDDR4",
    0x1F: "non-volatile",
    0x20: "HBM",
    0x21: "HBM2",
    0x22: "DDR5",
    0x23: "LPDDR5",
    0x24: "HBM3",
}
_INTERFACES = {1: "KCS", 2: "SMIC", 3: "BT", 4: "SSIF"}


@dataclass(frozen=True)
class Structure:
    """One structure of the tables: its kind, its bytes from the header on, and its texts."""

    kind: int
    body: bytes
    texts: tuple[str, ...]

    def integer(self, offset: int, size: int) -> int | None:
        """Return an unsigned number at an offset; None when the structure is of an older, shorter version."""
        piece = self.body[offset : offset + size]
        return int.from_bytes(piece, "little") if len(piece) == size else None

    def text(self, offset: int) -> str:
        """Return the text that a byte at an offset names by its place; empty when it names none."""
        index = self.integer(offset, 1)
        return self.texts[index - 1].strip() if index and index <= len(self.texts) else ""


def structures(table: bytes) -> Iterator[Structure]:
    """Yield the structures of a table; ProbeError when it ends in the middle of one."""
    at = 0
    while at < len(table):
        if at + 4 > len(table) or table[at + 1] < 4 or at + table[at + 1] > len(table):
            raise ProbeError(f"the SMBIOS table ends in the middle of a structure at byte {at} of {len(table)}")
        kind, length = struct.unpack_from("<BB", table, at)
        texts_at = at + length
        end = table.find(b"\0\0", texts_at)
        if end < 0:
            raise ProbeError(f"the texts of the SMBIOS structure at byte {at} have no end")
        texts = table[texts_at:end].split(b"\0") if end > texts_at else []
        yield Structure(kind, table[at:texts_at], tuple(text.decode("ascii", "replace") for text in texts))
        if kind == _END:
            return
        at = end + 2


def memory_modules(table: bytes) -> tuple[MemoryModule, ...]:
    """Return the modules that are plugged in; empty slots are left out."""
    found = (_module(each) for each in structures(table) if each.kind == _MEMORY_DEVICE)
    return tuple(module for module in found if module is not None)


def error_correction(table: bytes) -> tuple[str, ...]:
    """Return how each array of system memory corrects errors, such as `multi-bit`."""
    arrays = (each for each in structures(table) if each.kind == _MEMORY_ARRAY)
    ways = (each.integer(6, 1) for each in arrays if each.integer(5, 1) == _SYSTEM_MEMORY)
    return tuple(_CORRECTION.get(way or 0, "unknown") for way in ways)


def management_interface(table: bytes) -> str | None:
    """Return how the host talks to its management controller (KCS, BT, ...); None when the board has none."""
    for each in structures(table):
        if each.kind == _IPMI:
            return _INTERFACES.get(each.integer(4, 1) or 0, "unknown")
    return None


def _module(structure: Structure) -> MemoryModule | None:
    size = _size_bytes(structure)
    if not size:
        return None
    detail = structure.integer(0x13, 2) or 0
    return MemoryModule(
        slot=structure.text(0x10),
        size_bytes=size,
        type=_TYPES.get(structure.integer(0x12, 1) or 0, "other"),
        total_width_bits=_width(structure.integer(0x08, 2)),
        data_width_bits=_width(structure.integer(0x0A, 2)),
        registered=bool(detail & _REGISTERED),
        rated_mts=_speed(structure, 0x15, 0x54),
        configured_mts=_speed(structure, 0x20, 0x58),
    )


def _size_bytes(structure: Structure) -> int:
    size = structure.integer(0x0C, 2)
    if size in (None, 0, _UNKNOWN):
        return 0
    if size == _SIZE_ELSEWHERE:
        return ((structure.integer(0x1C, 4) or 0) & 0x7FFFFFFF) << 20
    return (size & ~_IN_KIB) << (10 if size & _IN_KIB else 20) if size else 0


def _width(bits: int | None) -> int | None:
    return None if bits in (None, 0, _UNKNOWN) else bits


def _speed(structure: Structure, place: int, extended: int) -> int | None:
    speed = structure.integer(place, 2)
    if speed == _UNKNOWN:
        speed = structure.integer(extended, 4)
    return None if speed is None or speed in _UNKNOWN_SPEED else speed
