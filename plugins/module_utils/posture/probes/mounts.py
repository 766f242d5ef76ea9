# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Where file systems are mounted and with which options, as the kernel has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_MOUNTINFO = "/proc/self/mountinfo"


@dataclass(frozen=True)
class Mount:
    """A line of mountinfo; `options` of the mount and of the file system below it."""

    path: str
    fstype: str
    source: str
    options: tuple[str, ...]


@probe("mount", required=("path",), source="/proc/self/mountinfo: {path}")
def mount(host: Host, params: Params) -> dict[str, Any]:
    """Return {fstype, source, options: sorted}; Absent when the path is no mount point.

    Of several mounts on one path the last one counts, because it hides the others. `ro` stands there when the mount or
    the file system below it is read-only.
    """
    path = str(params["path"]).rstrip("/") or "/"
    found = [one for one in mounts(host) if one.path == path]
    if not found:
        raise Absent(f"{path} is no mount point")
    top = found[-1]
    return {"fstype": top.fstype, "source": top.source, "options": list(top.options)}


@probe("mounts", optional=("paths", "fstypes"), source="/proc/self/mountinfo")
def mount_list(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return [{path, fstype, source, options}] of what is mounted below `paths` or is of `fstypes` (shell patterns)."""
    found = {one.path: one for one in mounts(host)}
    paths, fstypes = ([str(one) for one in params.get(name, [])] for name in ("paths", "fstypes"))
    return [
        {"path": one.path, "fstype": one.fstype, "source": one.source, "options": list(one.options)}
        for one in found.values()
        if any(fnmatchcase(one.path, pattern) for pattern in paths)
        or any(fnmatchcase(one.fstype, pattern) for pattern in fstypes)
    ]


@probe("mount_of", required=("path",), source="/proc/self/mountinfo: what carries {path}")
def mount_of(host: Host, params: Params) -> dict[str, Any]:
    """Return {path, fstype, source, options} of the mount that carries a path; Absent when the path does not exist."""
    path = str(params["path"]).rstrip("/") or "/"
    host.stat(path)
    below = [one for one in mounts(host) if one.path == "/" or f"{path}/".startswith(f"{one.path}/")]
    if not below:
        raise ProbeError(f"{_MOUNTINFO} names nothing that carries {path}")
    deepest = max(below, key=lambda one: len(one.path.rstrip("/")))
    last = [one for one in below if one.path == deepest.path][-1]
    return {"path": last.path, "fstype": last.fstype, "source": last.source, "options": list(last.options)}


def mounts(host: Host) -> list[Mount]:
    """Return every mount in the order of the kernel's table."""
    return host.once("mounts", lambda: [_parse(line) for line in host.read_text(_MOUNTINFO).splitlines() if line])


def _parse(line: str) -> Mount:
    before, _unused, after = line.partition(" - ")
    fields = before.split()
    fstype, source, below = [*after.split(), "", "", ""][:3]
    options = set(fields[5].split(",")) | {option for option in below.split(",") if option and option != "rw"}
    if "ro" in options:
        options.discard("rw")
    return Mount(_unescape(fields[4]), fstype, _unescape(source), tuple(sorted(options)))


def _unescape(text: str) -> str:
    """Undo the octal escapes by which the kernel writes blanks."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)
