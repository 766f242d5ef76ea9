# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the numbers of the NVIDIA driver's error reports (Xid) are about, as data.

Sources: the Xid catalogue of the vendor (docs.nvidia.com/deploy/xid-errors), and for which of them a node is taken out
of service the list of Azure's node health checks (Azure/azurehpc-health-checks, commit 0e0a1ac: 48 56 57 58 62 63 64
65 68 69 73 74 79 80 81 92 119 120). Numbers that applications cause by themselves (13, 31, 43, 45) are in no class.
"""

from __future__ import annotations

CLASSES: dict[str, dict[int, str]] = {
    "memory": {
        48: "an error of two bits in memory",
        63: "a row of memory was replaced, or a page retired",
        64: "a row of memory could not be replaced, or a page not retired",
        92: "many corrected errors of one bit",
        94: "an uncorrectable error that was contained",
        95: "an uncorrectable error that was not contained",
        140: "an unrecovered error of the error correction",
    },
    "bus": {
        79: "the GPU has fallen off the bus",
        81: "the display or the link of the GPU stopped working",
    },
    "nvlink": {
        74: "an error on an NVLink",
        121: "a corrected error on the link to the processor",
        149: "an error that the NVLink's own processor reports",
    },
    "firmware": {
        62: "the GPU's power controller stopped",
        119: "the GPU's system processor did not answer in time",
        120: "the GPU's system processor met an error",
        143: "the GPU could not be initialised",
    },
    "hardware": {
        54: "the GPU has no auxiliary power",
        56: "an error of the display engine",
        57: "an error in programming the memory interface",
        58: "unstable video memory interface, or corrected by a retry",
        65: "an exception of the video processor",
        68: "an exception of the video decoder",
        69: "an exception of the graphics engine class",
        73: "an exception of the video encoder",
        80: "data that the GPU was sent were damaged",
        109: "a context switch did not end in time",
        110: "a fault of the security unit",
        136: "an alignment fault",
        154: "the driver wants the GPU reset, drained or the host booted",
    },
}


def class_of(number: int) -> str:
    """Return the class of a number; application when it is in none."""
    return next((name for name, numbers in CLASSES.items() if number in numbers), "application")


def meaning_of(number: int) -> str:
    """Return what a number is about, as far as we know."""
    return next((numbers[number] for numbers in CLASSES.values() if number in numbers), "an error report")
