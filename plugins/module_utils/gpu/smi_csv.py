# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What `nvidia-smi --query-gpu=... --format=csv` prints, with or without units, as facts."""

from __future__ import annotations

import csv
import io
from dataclasses import Field
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.gpu.facts import Gpu
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.mig import with_mig_named
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.values import ParseError, build

_WHAT = "nvidia-smi --query-gpu"
_BUS_ID = ("pci.bus_id", "gpu_bus_id")


def parse_query_csv(text: str) -> tuple[Gpu, ...]:
    """Return the GPUs of a query that asked for pci.bus_id and whatever else; ParseError when it is no such table."""
    gpus = []
    for number, row in _rows(text):
        bus_id = next((row[name] for name in _BUS_ID if row.get(name)), "")
        if not bus_id:
            raise ParseError(f"{_WHAT}: line {number} has no pci.bus_id, so that its GPU cannot be told")

        def find(each: Field[Any], row: dict[str, str] = row) -> str | None:
            return next((row[name] for name in each.metadata["csv"] if name in row), None)

        gpus.append(with_mig_named(build(Gpu, find, bus_id=bus_id)))
    return tuple(gpus)


def _rows(text: str) -> list[tuple[int, dict[str, str]]]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ParseError(f"{_WHAT}: nothing was printed")
    try:
        table = list(csv.reader(io.StringIO("\n".join(lines)), skipinitialspace=True, quoting=csv.QUOTE_NONE))
    except csv.Error as error:
        raise ParseError(f"{_WHAT}: {error}") from None
    # "power.draw [W]": the unit is in every value as well, unless they are printed without.
    names = [name.partition(" [")[0].strip() for name in table[0]]
    if not any(name in names for name in _BUS_ID):
        raise ParseError(f"{_WHAT}: the first line is {lines[0][:80]!r}, wanted names of columns with pci.bus_id")
    rows = []
    for number, cells in enumerate(table[1:], 2):
        if len(cells) != len(names):
            raise ParseError(f"{_WHAT}: line {number} has {len(cells)} values, wanted {len(names)}")
        rows.append((number, {name: cell.strip() for name, cell in zip(names, cells)}))
    return rows
