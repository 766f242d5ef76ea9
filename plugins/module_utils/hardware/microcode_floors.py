# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The oldest microcode that mends what is known of a server's processor, as data, each row with its source.

Intel: the last release with security updates for the processor. AMD: what the kernel asks for against transient
scheduler attacks (AMD-SB-7029). A processor that is not here has no floor: nobody looked, and that is said.
"""

from __future__ import annotations

from dataclasses import dataclass

#: The newest of the sources; what was published later is not in here.
AS_OF = "2025-11-11"

_INTEL = "intel/Intel-Linux-Processor-Microcode-Data-Files releasenote.md, microcode-"
_TSA = "Linux arch/x86/kernel/cpu/amd.c, amd_check_tsa_microcode()"


@dataclass(frozen=True)
class Floor:
    """A floor for revisions of one processor that share all but their last bytes: `branch` is what they share."""

    signature: str
    branch: int
    branch_shift: int
    revision: int
    source: str


def _intel(signature: str, revision: int, release: str) -> Floor:
    # Parts of one signature (Xeon and Xeon Max) are told apart by the first byte of their revision.
    return Floor(signature, revision >> 24, 24, revision, _INTEL + release)


def _amd(signature: str, revision: int) -> Floor:
    return Floor(signature, revision >> 8, 8, revision, _TSA)


FLOORS = (
    _intel("06-55-07", 0x05003901, "20250512"),
    _intel("06-6a-06", 0x0D000410, "20250812"),
    _intel("06-8f-07", 0x2B000643, "20250812"),
    _intel("06-8f-08", 0x2B000643, "20250812"),
    _intel("06-8f-08", 0x2C000401, "20250812"),
    _intel("06-cf-02", 0x210002B3, "20250812"),
    _intel("06-ad-01", 0x010003D0, "20250812"),
    _intel("06-ad-01", 0x0A000100, "20250812"),
    _intel("06-af-03", 0x03000362, "20250812"),
    _amd("19-01-01", 0x0A0011D7),
    _amd("19-01-02", 0x0A00123B),
    _amd("19-11-01", 0x0A10114C),
    _amd("19-11-02", 0x0A10124C),
    _amd("19-a0-02", 0x0AA00216),
)


def floor_of(signature: str, revision: int) -> Floor | None:
    """Return the floor for a processor that runs a revision; None when no source names one."""
    for floor in FLOORS:
        if floor.signature == signature and floor.branch == revision >> floor.branch_shift:
            return floor
    return None
