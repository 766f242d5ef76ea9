# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What `amd-smi static --json` and `amd-smi metric --json` print, of ROCm 6 (a list) and 7 (gpu_data), as facts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Union

from ansible_collections.rampart.fleet.plugins.module_utils.gpu.values import (
    Kind,
    ParseError,
    Unavailable,
    count,
    decimal,
    first_missing,
    read,
    whole,
    word,
)

Number = Union[int, Unavailable]
Decimal = Union[float, Unavailable]
Word = Union[str, Unavailable]


@dataclass(frozen=True)
class AmdGpu:
    """One AMD GPU as its driver tells of it."""

    index: int
    bus_id: Word
    product: Word
    vbios: Word
    driver: Word
    memory_total_mb: Number
    compute_partition: Word
    memory_partition: Word
    lanes_max: Number
    lanes: Number
    hotspot_c: Number
    slowdown_hotspot_c: Number
    power_w: Decimal
    ecc_corrected: Number
    ecc_uncorrectable: Number
    utilization_percent: Number

    @property
    def lanes_missing(self) -> Number:
        """Return how many lanes of the link are not used."""
        return first_missing(self.lanes_max, self.lanes) or int(self.lanes_max) - int(self.lanes)  # type: ignore[arg-type]

    @property
    def below_slowdown_c(self) -> Number:
        """Return how many degrees are left until the GPU slows itself down."""
        missing = first_missing(self.slowdown_hotspot_c, self.hotspot_c)
        return missing or int(self.slowdown_hotspot_c) - int(self.hotspot_c)  # type: ignore[arg-type]


def parse_amd_smi(static: str, metric: str) -> tuple[AmdGpu, ...]:
    """Return the GPUs that both answers tell of.

    ParseError when one is no such answer, or they tell of different ones.
    """
    fixed, moving = _by_index(static, "amd-smi static --json"), _by_index(metric, "amd-smi metric --json")
    if fixed.keys() != moving.keys():
        raise ParseError(
            f"amd-smi: static tells of GPUs {sorted(fixed)}, metric of {sorted(moving)}: one was lost between"
        )
    return tuple(_gpu(index, fixed[index], moving[index]) for index in sorted(fixed))


def _gpu(index: int, static: Mapping[str, Any], metric: Mapping[str, Any]) -> AmdGpu:
    return AmdGpu(
        index=index,
        bus_id=_read(static, "bus.bdf", word),
        product=_read(static, "asic.market_name", word),
        vbios=_either(_read(static, "vbios.version", word), _read(static, "ifwi.version", word)),
        driver=_read(static, "driver.version", word),
        memory_total_mb=_read(static, "vram.size", whole("MB")),
        compute_partition=_read(static, "partition.compute_partition", word),
        memory_partition=_read(static, "partition.memory_partition", word),
        lanes_max=_read(static, "bus.max_pcie_width", count),
        lanes=_read(metric, "pcie.width", count),
        hotspot_c=_read(metric, "temperature.hotspot", whole("C")),
        slowdown_hotspot_c=_read(static, "limit.slowdown_hotspot_temperature", whole("C")),
        power_w=_read(metric, "power.socket_power", decimal("W")),
        ecc_corrected=_read(metric, "ecc.total_correctable_count", count),
        ecc_uncorrectable=_read(metric, "ecc.total_uncorrectable_count", count),
        utilization_percent=_read(metric, "usage.gfx_activity", whole("%")),
    )


def _either(first: Word, second: Word) -> Word:
    return second if isinstance(first, Unavailable) and not isinstance(second, Unavailable) else first


def _read(gpu: Mapping[str, Any], path: str, kind: Kind) -> Any:
    value: Any = gpu
    for name in path.split("."):
        if isinstance(value, Mapping) and name not in value:
            return Unavailable("not_reported")
        # A whole part may be the text N/A.
        value = value[name] if isinstance(value, Mapping) else value
    if isinstance(value, Mapping):
        value = f"{value.get('value', '')} {value.get('unit', '')}".strip()
    return read(None if value is None or isinstance(value, (list, bool)) else str(value), kind)


def _by_index(text: str, what: str) -> dict[int, Mapping[str, Any]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ParseError(f"{what}: {str(error)[:120]}: the output is no JSON, or half of one") from None
    entries = document.get("gpu_data") if isinstance(document, Mapping) else document
    if not isinstance(entries, list):
        raise ParseError(f"{what}: the document has no list of GPUs")
    found: dict[int, Mapping[str, Any]] = {}
    for place, entry in enumerate(entries):
        index = entry.get("gpu") if isinstance(entry, Mapping) else None
        if not isinstance(index, int) or isinstance(index, bool):
            raise ParseError(f"{what}: entry {place + 1} does not say which GPU it is of")
        found[index] = entry
    return found
