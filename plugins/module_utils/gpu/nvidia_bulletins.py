# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Versions in which the security bulletins of NVIDIA are fixed, as data. Written by rampart.dev.bulletins.

A branch of the driver that the newest bulletin of drivers does not name gets no fixes any more.
"""

from __future__ import annotations

from typing import NamedTuple


class Floor(NamedTuple):
    """The oldest version of a branch with all fixes, the bulletin that says so, and its date."""

    fixed: str
    bulletin: str
    date: str


SOURCE = "github.com/NVIDIA/product-security @ dbb4ada053156ea7f41a15229c7b85e2380b3b87"
READ = "2026-08-18"
FLOORS: dict[str, dict[str, Floor]] = {
    "container_toolkit": {
        "": Floor("1.19.1", "5850", "2026-06-30"),
    },
    "dcgm": {
        "": Floor("4.5.3", "5857", "2026-07-28"),
    },
    "driver": {
        "R450": Floor("450.248.02", "5468", "2023-06-26"),
        "R470": Floor("470.256.02", "5551", "2024-06-06"),
        "R510": Floor("510.108.03", "5415", "2022-11-28"),
        "R515": Floor("515.105.01", "5452", "2023-03-30"),
        "R525": Floor("525.147.05", "5491", "2023-10-31"),
        "R535": Floor("535.309.01", "5821", "2026-05-19"),
        "R550": Floor("550.163.01", "5630", "2025-04-24"),
        "R570": Floor("570.211.01", "5747", "2026-01-28"),
        "R575": Floor("575.51.02", "5630", "2025-04-24"),
        "R580": Floor("580.159.03", "5821", "2026-05-19"),
        "R590": Floor("590.48.01", "5747", "2026-01-28"),
        "R595": Floor("595.71.05", "5821", "2026-05-19"),
    },
}
