# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Disks, software RAID, RAID controllers, and what NVMe disks say of their health."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.hardware.facts import Array, Disk
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.reading import addresses_in, names, number, word
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host

_SECTOR_BYTES = 512
_NO_DISK = re.compile(r"(loop|ram|zram|dm-|md|sr|fd|nbd|zd)\d")
_MEMBER = re.compile(r"([\w!.-]+)\[(\d+)\]((?:\([A-Z]\))*)")
_STATE = re.compile(
    r"^(\S+) : (active|inactive)((?: \([^)]*\))*)(?: ([a-z][a-z0-9]*))?((?: [\w!.-]+\[\d+\](?:\([A-Z]\))*)*)\s*$"
)
#: Levels of software RAID that lose nothing with one disk.
REDUNDANT = ("raid1", "raid4", "raid5", "raid6", "raid10")
# nvme-cli names them so in its JSON.
_HEALTH = {
    "critical_warning": "critical_warning",
    "spare_percent": "avail_spare",
    "spare_threshold_percent": "spare_thresh",
    "used_percent": "percent_used",
    "media_errors": "media_errors",
}


def disks(host: Host) -> tuple[Disk, ...]:
    """Return the disks of the host; what is made of other disks is left out."""
    return tuple(_disk(host, name) for name in names(host, "/sys/block") if not _NO_DISK.match(name))


def _disk(host: Host, name: str) -> Disk:
    base = f"/sys/block/{name}"
    spinning = word(host, f"{base}/queue/rotational") == "1"
    return Disk(
        name=name,
        kind="nvme" if name.startswith("nvme") else "hdd" if spinning else "ssd",
        size_bytes=(number(host, f"{base}/size") or 0) * _SECTOR_BYTES,
        model=word(host, f"{base}/device/model"),
        pci_address=_controller(host, base),
    )


def _controller(host: Host, base: str) -> str | None:
    try:
        path = addresses_in(host.readlink(base))
    except (Absent, ProbeError):
        return None
    return path[-1] if path else None


def arrays(host: Host) -> tuple[Array, ...]:
    """Return the arrays of software RAID; none where the kernel has no driver for them."""
    try:
        text = host.read_text("/proc/mdstat")
    except Absent:
        return ()
    return parse_mdstat(text)


def parse_mdstat(text: str) -> tuple[Array, ...]:
    """Return the arrays of a /proc/mdstat; ProbeError for a line that looks like an array and cannot be understood."""
    return tuple(_array(block) for block in _blocks(text))


def _blocks(text: str) -> Iterator[list[str]]:
    """Yield the lines of each array: one that names it, and those that are set in below."""
    block: list[str] = []
    for line in text.split("\n"):
        if re.match(r"\S+ : ", line) and not line.startswith("Personalities"):
            if block:
                yield block
            block = [line]
        elif block and line.startswith(" "):
            block.append(line)
    if block:
        yield block


def _array(lines: list[str]) -> Array:
    found = _STATE.match(lines[0])
    if found is None:
        raise ProbeError(f"/proc/mdstat describes an array in a way that is not known: {lines[0][:120]!r}")
    below = "\n".join(lines[1:])
    members = _MEMBER.findall(found.group(5))
    size = re.search(r"^\s+([0-9]{1,18}) blocks", below, re.M)
    counts = re.search(r"\[([0-9]{1,6})/([0-9]{1,6})\]", below)
    busy = re.search(r"\b(recovery|resync|reshape|check|repair)\s*=", below)
    notes = re.findall(r"\(([^)]*)\)", found.group(3))
    return Array(
        name=found.group(1),
        level=found.group(4) or "",
        state=" ".join([found.group(2), *notes]),
        size_bytes=int(size.group(1)) * 1024 if size else 0,
        members=tuple(sorted(name for name, _unused, flags in members)),
        failed=tuple(sorted(name for name, _unused, flags in members if "(F)" in flags)),
        wanted=int(counts.group(1)) if counts else None,
        working=int(counts.group(2)) if counts else None,
        busy_with=busy.group(1) if busy else "",
    )


def disk_of(member: str) -> str:
    """Return the disk of which a member of an array is a part: `nvme0n1` of `nvme0n1p2`, `sda` of `sda1`."""
    found = re.fullmatch(r"((?:nvme\d+n\d+|mmcblk\d+))(?:p\d+)?|([a-z]+?)\d*", member)
    return (found.group(1) or found.group(2)) if found else member


def nvme_states(host: Host) -> list[dict[str, Any]]:
    """Return [{name, state}] of the NVMe controllers, where `live` is well; Absent when there is none."""
    found = [name for name in names(host, "/sys/class/nvme") if re.fullmatch(r"nvme\d+", name)]
    if not found:
        raise Absent("there is no NVMe disk: /sys/class/nvme has none")
    return [{"name": name, "state": word(host, f"/sys/class/nvme/{name}/state")} for name in found]


def nvme_health(host: Host) -> list[dict[str, Any]]:
    """Return [{name, critical_warning, used_percent, media_errors, spare_percent, spare_left, ...}].

    `spare_left` says whether more spare is left than the disk's maker warns of. Absent when there is no NVMe disk;
    ToolMissing without nvme-cli, since the kernel itself does not tell.
    """
    return [{"name": each["name"], **parse_health(_smart_log(host, each["name"]))} for each in nvme_states(host)]


def _smart_log(host: Host, name: str) -> str:
    return host.run(["nvme", "smart-log", f"/dev/{name}", "--output-format=json"], timeout=5.0).require_ok().stdout


def parse_health(text: str) -> dict[str, int]:
    """Return the figures of a log of `nvme smart-log` in JSON; ProbeError when one is missing or no number."""
    try:
        log = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProbeError(f"nvme smart-log answered with no JSON: {error}") from None
    if not isinstance(log, dict):
        raise ProbeError("nvme smart-log answered with no object of JSON")
    found = {}
    for name, key in _HEALTH.items():
        value = log.get(key)
        if isinstance(value, dict):
            # Newer versions take the warning apart and keep the number beside the parts.
            value = value.get("value")
        if not isinstance(value, int) or isinstance(value, bool):
            raise ProbeError(f"nvme smart-log names no number as {key}: {value!r}"[:200])
        found[name] = value
    return {**found, "spare_left": found["spare_percent"] > found["spare_threshold_percent"]}
