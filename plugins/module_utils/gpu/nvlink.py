# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What `nvidia-smi nvlink -s` prints: the links of each GPU and their speed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.rampart.fleet.plugins.module_utils.gpu.values import ParseError, Unavailable

_GPU = re.compile(r"GPU ([0-9]{1,4}): .*\(UUID: ([^)]+)\)")
_LINK = re.compile(r"\s+Link ([0-9]{1,3}): (?:<(inactive)>|([0-9]{1,6}(?:\.[0-9]{1,6})?) GB/s)\s*")
_ALL_INACTIVE = "all links are inactive"


@dataclass(frozen=True)
class Link:
    """One link; without a speed it is down."""

    index: int
    speed_gb_s: float | None


@dataclass(frozen=True)
class GpuLinks:
    """The links of a GPU, or why it tells none."""

    index: int
    uuid: str
    links: tuple[Link, ...] | Unavailable

    @property
    def inactive(self) -> tuple[int, ...]:
        """Return the numbers of links that are down."""
        if isinstance(self.links, Unavailable):
            return ()
        return tuple(link.index for link in self.links if link.speed_gb_s is None)


def parse_nvlink(text: str) -> tuple[GpuLinks, ...]:
    """Return the GPUs in the order of the output; a GPU without links tells none, one with dead links says so.

    ParseError for anything else than GPUs and their links.
    """
    found: list[tuple[int, str, list[Link], list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        head, link = _GPU.match(line), _LINK.fullmatch(line)
        if head:
            found.append((int(head.group(1)), head.group(2), [], []))
        elif link and found:
            speed = None if link.group(2) else float(link.group(3))
            found[-1][2].append(Link(int(link.group(1)), speed))
        elif line.strip() and found and not link:
            found[-1][3].append(line.strip())
        elif line.strip():
            raise ParseError(f"nvidia-smi nvlink -s: line {number} is {line.strip()[:80]!r}, wanted a GPU or its link")
    return tuple(GpuLinks(index, uuid, _links(links, notes)) for index, uuid, links, notes in found)


def _links(links: list[Link], notes: list[str]) -> tuple[Link, ...] | Unavailable:
    if links:
        return tuple(links)
    if any(_ALL_INACTIVE in note for note in notes):
        return Unavailable("error", _ALL_INACTIVE)
    return Unavailable("not_supported", notes[0][:80] if notes else "no links")
