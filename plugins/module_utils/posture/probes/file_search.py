# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Files that are dangerous wherever they lie: found by one bounded walk over local file systems."""

from __future__ import annotations

import stat as stat_bits
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError, ProbeTimeout
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import DirEntry, FileStat, Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.mounts import mounts
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

CRITERIA = ("world_writable", "suid_sgid", "unowned", "group_writable", "not_root", "device")
# File systems of disks and memory; all others are remote, made up by the kernel, or the view of a container.
_LOCAL = ("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "jfs", "bcachefs", "zfs", "tmpfs", "vfat")
# What lies there are the contents of container images: another machine's files as it were, by the million.
_SKIP = (
    "/proc",
    "/sys",
    "/dev/pts",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/run/containerd",
)
_BUDGET_S = 10.0
_SHOWN = 200


@dataclass
class Walk:
    """What one walk found: paths by criterion, the number of names seen, and whether it saw everything."""

    found: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in CRITERIA})
    scanned: int = 0
    complete: bool = True


@probe(
    "file_search",
    required=("criteria",),
    optional=("roots", "budget_s", "allow", "skip"),
    source="walk of {roots} for {criteria} files",
)
def file_search(host: Host, params: Params) -> dict[str, Any]:
    """Return {matches: [paths], count, scanned, complete} for a criterion.

    `criteria` is one of world_writable, suid_sgid, unowned, group_writable (by another group than root's), not_root
    (the owner) and device (a node).

    Walks `roots` (default /) and the local file systems mounted below them, never a network, overlay or kernel file
    system below a root, nor the stores of container runtimes and `skip`. `allow` are patterns of paths that are meant
    to be so. World-writable directories with the sticky bit are as they should be. The walk takes at most `budget_s`
    seconds (10) and the time that the control allows. `matches` names at most 200. A walk that ended early and found
    nothing has proven nothing: that is a time-out, never an empty list.
    """
    criteria = str(params["criteria"])
    if criteria not in CRITERIA:
        raise ProbeError(f"criteria is '{criteria}', wanted one of {', '.join(CRITERIA)}")
    roots = tuple(str(root) for root in params.get("roots", ["/"]))
    skip = (*_SKIP, *(str(path) for path in params.get("skip", [])))
    budget = float(params.get("budget_s", _BUDGET_S))
    walk = _shared_walk(host, roots, skip, budget)
    allow = [str(pattern) for pattern in params.get("allow", [])]
    matches = sorted(path for path in walk.found[criteria] if not any(fnmatchcase(path, one) for one in allow))
    if not matches and not walk.complete:
        raise ProbeTimeout(
            f"nothing was found among the first {walk.scanned} names, and there was no time for the others"
        )
    return {
        "matches": matches[:_SHOWN],
        "count": len(matches),
        "scanned": walk.scanned,
        "complete": walk.complete and len(matches) <= _SHOWN,
    }


def _shared_walk(host: Host, roots: tuple[str, ...], skip: tuple[str, ...], budget: float) -> Walk:
    """Walk once for all criteria: reading the directories costs far more than looking at three properties."""
    return host.once(f"file_search: {roots} {skip} {budget}", lambda: _walk(host, roots, skip, budget))


def _walk(host: Host, roots: tuple[str, ...], skip: tuple[str, ...], budget: float) -> Walk:
    # Time is left to return what was found instead of being cut off with nothing.
    end = time.monotonic() + min(host.stretched(budget), host.remaining() * 0.9)
    barred = _barred(host, roots) | {path.rstrip("/") for path in skip}
    walk = Walk()
    owners = _Owners(host)
    pending = [root.rstrip("/") for root in roots]
    while pending:
        if time.monotonic() >= end:
            walk.complete = False
            break
        folder = pending.pop()
        for entry in _entries(host, folder or "/"):
            path = f"{folder}/{entry.name}"
            walk.scanned += 1
            if entry.stat is None:
                continue
            _note(walk, path, entry.stat, owners)
            if stat_bits.S_ISDIR(entry.stat.mode) and path not in barred:
                pending.append(path)
    return walk


def _barred(host: Host, roots: Iterable[str]) -> set[str]:
    """Return the mount points that are not entered: what is mounted there last is not local."""
    last = {mount.path: mount.fstype for mount in mounts(host)}
    kept = {root.rstrip("/") for root in roots}
    return {path for path, fstype in last.items() if fstype not in _LOCAL and path not in kept}


def _entries(host: Host, folder: str) -> list[DirEntry]:
    try:
        return host.scandir(folder)
    except Absent:
        # Removed since its name was read: nothing is in it any more.
        return []


def _note(walk: Walk, path: str, status: FileStat, owners: _Owners) -> None:
    mode = status.mode
    if not stat_bits.S_ISLNK(mode):
        if mode & stat_bits.S_IWOTH and _writable_matters(mode):
            walk.found["world_writable"].append(path)
        if mode & (stat_bits.S_ISUID | stat_bits.S_ISGID) and stat_bits.S_ISREG(mode):
            walk.found["suid_sgid"].append(path)
        if mode & stat_bits.S_IWGRP and status.gid != 0 and _writable_matters(mode):
            walk.found["group_writable"].append(path)
        if stat_bits.S_ISCHR(mode) or stat_bits.S_ISBLK(mode):
            walk.found["device"].append(path)
    if status.uid != 0:
        walk.found["not_root"].append(path)
    if not owners.known(status):
        walk.found["unowned"].append(path)


def _writable_matters(mode: int) -> bool:
    if stat_bits.S_ISDIR(mode):
        return not mode & stat_bits.S_ISVTX
    # Devices, pipes and sockets are gates by design; who may use them is decided where they are served.
    return stat_bits.S_ISREG(mode)


class _Owners:
    """Remembers which numbers have names; a walk sees few owners and many files."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._seen: dict[tuple[int, int], bool] = {}

    def known(self, status: FileStat) -> bool:
        pair = (status.uid, status.gid)
        if pair not in self._seen:
            named = self._host.user_name(status.uid) is not None and self._host.group_name(status.gid) is not None
            self._seen[pair] = named
        return self._seen[pair]
