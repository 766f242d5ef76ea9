# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Error reports of the NVIDIA driver (Xid) and of NVSwitches (SXid) in lines of the kernel's log."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.rampart.fleet.plugins.module_utils.gpu.xid_classes import class_of

# NVRM: Xid (PCI:0000:9b:00): 119, pid=..., text     nvidia-nvswitch0: SXid (PCI:0000:05:00.0): 20034, Fatal, Link 30
_XID = re.compile(r"NVRM: Xid \((?:PCI:)?([0-9a-fA-F:.]+)\): ([0-9]{1,6}),? ?(.*)")
_SXID = re.compile(r"nvswitch[0-9]*: SXid \((?:PCI:)?([0-9a-fA-F:.]+)\): ([0-9]{1,6}),? ?(.*)")
# journalctl -o short-unix begins with seconds since 1970; dmesg with seconds since boot in brackets.
_EPOCH = re.compile(r"([0-9]{9,11}(?:\.[0-9]+)?) ")
_TEXT_CHARS = 160


@dataclass(frozen=True)
class XidEvent:
    """One report. `at` is in seconds since 1970, None when the line does not tell."""

    number: int
    device: str
    text: str
    at: float | None
    switch: bool = False

    @property
    def category(self) -> str:
        """Return the class of the report.

        Of switches only what is fatal counts: the rest they corrected by themselves (fabric manager guide).
        """
        if self.switch:
            return "nvlink" if self.text.startswith("Fatal") else "corrected"
        return class_of(self.number)


def parse_xids(lines: Iterable[str]) -> tuple[XidEvent, ...]:
    """Return the reports among lines of a log; lines that are none are passed over, as a log has many."""
    found = []
    for line in lines:
        for pattern, switch in ((_XID, False), (_SXID, True)):
            match = pattern.search(line)
            if match:
                stamp = _EPOCH.match(line)
                at = float(stamp.group(1)) if stamp else None
                number, text = int(match.group(2)), match.group(3).strip()[:_TEXT_CHARS]
                found.append(XidEvent(number, match.group(1), text, at, switch))
                break
    return tuple(found)
