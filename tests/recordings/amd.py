# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A node of AMD GPUs as amd-smi would tell of it, written from the documented format."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


def _static(number: int) -> dict[str, Any]:
    return {
        "gpu": number,
        "asic": {"market_name": "AMD Instinct MI300X", "vendor_id": "0x1002", "asic_serial": f"0xSIMULATED{number}"},
        "bus": {"bdf": f"0000:{number + 1:02x}:00.0", "max_pcie_width": 16, "slot_type": "OAM"},
        "vbios": {"name": "N/A", "version": "022.040.003.041.000001"},
        "limit": {
            "max_power": {"value": 750, "unit": "W"},
            "slowdown_edge_temperature": "N/A",
            "slowdown_hotspot_temperature": {"value": 100, "unit": "C"},
        },
        "driver": {"name": "amdgpu", "version": "6.12.12"},
        "vram": {"type": "HBM", "size": {"value": 196592, "unit": "MB"}},
        "partition": {"compute_partition": "SPX", "memory_partition": "NPS1"},
    }


def _metric(number: int) -> dict[str, Any]:
    return {
        "gpu": number,
        "usage": {"gfx_activity": {"value": 93, "unit": "%"}},
        "power": {"socket_power": {"value": 601, "unit": "W"}},
        "temperature": {"edge": "N/A", "hotspot": {"value": 61, "unit": "C"}, "mem": {"value": 48, "unit": "C"}},
        "pcie": {"width": 16, "speed": {"value": 32, "unit": "GT/s"}},
        "ecc": {"total_correctable_count": 0, "total_uncorrectable_count": 0, "total_deferred_count": 0},
    }


@dataclass
class AmdNode:
    """What amd-smi says; `wrapped` as ROCm 7 prints it."""

    static: list[dict[str, Any]] = field(default_factory=lambda: [_static(number) for number in range(8)])
    metric: list[dict[str, Any]] = field(default_factory=lambda: [_metric(number) for number in range(8)])
    wrapped: bool = True

    def static_json(self) -> str:
        """What `amd-smi static --json` prints."""
        return json.dumps({"gpu_data": self.static} if self.wrapped else self.static, indent=4)

    def metric_json(self) -> str:
        """What `amd-smi metric --json` prints."""
        return json.dumps({"gpu_data": self.metric} if self.wrapped else self.metric, indent=4)
