# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Files that are dangerous wherever they lie: found by one bounded walk over local file systems."""

from __future__ import annotations

import stat as stat_bits
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError, ProbeTimeout
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import DirEntry, FileStat, Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.patterns import any_of
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
# The bits that any of the criteria asks for; few names have one.
_NOTABLE = stat_bits.S_IWOTH | stat_bits.S_IWGRP | stat_bits.S_ISUID | stat_bits.S_ISGID


@dataclass
class Tree:
    """What one walk found: paths by criterion, the number of names, the folders that wait, and the seconds it took.

    Probes share it: where one ran out of time, another goes on within its own. A folder waits until all of it was
    looked at, so that what stops a walk there, a dead mount or a fault of the disk, stops the next one as well.
    """

    pending: list[str]
    found: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in CRITERIA})
    scanned: int = 0
    spent_s: float = 0.0
    walker: object = None


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
    trees = _walked(host, roots, skip, budget)
    allowed = any_of(str(pattern) for pattern in params.get("allow", []))
    matches = sorted({path for tree in trees for path in tree.found[criteria] if not allowed(path)})
    scanned, complete = sum(tree.scanned for tree in trees), not any(tree.pending for tree in trees)
    if not matches and not complete:
        raise ProbeTimeout(f"nothing was found among the first {scanned} names, and there was no time for the others")
    return {
        "matches": matches[:_SHOWN],
        "count": len(matches),
        "scanned": scanned,
        "complete": complete and len(matches) <= _SHOWN,
    }


def _walked(host: Host, roots: tuple[str, ...], skip: tuple[str, ...], budget: float) -> list[Tree]:
    """Walk each tree once for all criteria and probes: reading the folders costs far more than looking at them."""
    barred = _barred(host) | {path.rstrip("/") for path in skip}
    owners = _Owners(host)
    folders = _folders(host, roots, barred)
    trees = [host.once(f"file_search: {folder} {skip}", partial(Tree, [folder])) for folder in folders]
    if not all(root.rstrip("/") for root in roots):
        trees.append(host.once("file_search: the root directory", lambda: _top(host, owners)))
    # Time is left to return what was found instead of being cut off with nothing.
    left = min(host.stretched(budget) - sum(tree.spent_s for tree in trees), host.remaining() * 0.9)
    end = time.monotonic() + left
    for tree in trees:
        _walk(host, tree, barred, owners, end)
    return trees


def _folders(host: Host, roots: Iterable[str], barred: set[str]) -> list[str]:
    """Return the folders to walk, each once; those of the root directory are the ones that others begin with."""
    found: list[str] = []
    for root in roots:
        if root.rstrip("/"):
            found.append(root.rstrip("/"))
        else:
            folders = (
                f"/{entry.name}" for entry in _entries(host, "/") if entry.stat and entry.stat.type == "directory"
            )
            found += [folder for folder in folders if folder not in barred]
    return list(dict.fromkeys(found))


def _top(host: Host, owners: _Owners) -> Tree:
    """Return what the root directory itself holds."""
    tree = Tree([])
    for entry in _entries(host, "/"):
        _note(tree, f"/{entry.name}", entry.stat, owners)
    return tree


def _walk(host: Host, tree: Tree, barred: set[str], owners: _Owners, end: float) -> None:
    tree.walker = walker = object()
    started = time.monotonic()
    try:
        while tree.pending and time.monotonic() < end:
            folder = tree.pending[-1]
            entries = _entries(host, folder)
            if tree.walker is not walker:
                raise ProbeTimeout("the walk was given up when it got no answer, and another probe goes on with it")
            folders = []
            for entry in entries:
                path = f"{folder}/{entry.name}"
                _note(tree, path, entry.stat, owners)
                if entry.stat is not None and stat_bits.S_ISDIR(entry.stat.mode) and path not in barred:
                    folders.append(path)
            tree.pending[-1:] = folders
    finally:
        tree.spent_s += time.monotonic() - started


def _barred(host: Host) -> set[str]:
    """Return the mount points that are not entered from above: what is mounted there last is not local."""
    last = {mount.path: mount.fstype for mount in mounts(host)}
    return {path for path, fstype in last.items() if fstype not in _LOCAL}


def _entries(host: Host, folder: str) -> list[DirEntry]:
    try:
        return host.scandir(folder)
    except Absent:
        # Removed since its name was read: nothing is in it any more.
        return []


def _note(tree: Tree, path: str, status: FileStat | None, owners: _Owners) -> None:
    tree.scanned += 1
    if status is None:
        return
    mode, kind = status.mode, stat_bits.S_IFMT(status.mode)
    if status.uid != 0:
        tree.found["not_root"].append(path)
    if not owners.known(status):
        tree.found["unowned"].append(path)
    if kind == stat_bits.S_IFLNK:
        return
    if kind in (stat_bits.S_IFCHR, stat_bits.S_IFBLK):
        tree.found["device"].append(path)
    if not mode & _NOTABLE:
        return
    if mode & stat_bits.S_IWOTH and _writable_matters(mode):
        tree.found["world_writable"].append(path)
    if mode & (stat_bits.S_ISUID | stat_bits.S_ISGID) and kind == stat_bits.S_IFREG:
        tree.found["suid_sgid"].append(path)
    if mode & stat_bits.S_IWGRP and status.gid != 0 and _writable_matters(mode):
        tree.found["group_writable"].append(path)


def _writable_matters(mode: int) -> bool:
    if stat_bits.S_ISDIR(mode):
        return not mode & stat_bits.S_ISVTX
    # Devices, pipes and sockets are gates by design; who may use them is decided where they are served.
    return stat_bits.S_ISREG(mode)


class _Owners:
    """Remembers which numbers have names; a walk sees few owners and many files."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._seen: dict[tuple[int, int], bool] = host.once("file_search: owners", dict)

    def known(self, status: FileStat) -> bool:
        pair = (status.uid, status.gid)
        if pair not in self._seen:
            named = self._host.user_name(status.uid) is not None and self._host.group_name(status.gid) is not None
            self._seen[pair] = named
        return self._seen[pair]
