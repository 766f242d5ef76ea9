# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Who can read and write the files of logs, all of them, and whether their rotation and their disk are in order."""

from __future__ import annotations

import stat as stat_bits
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError, ProbeTimeout
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import FileStat, Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_FOLDER = "/var/log"
_MANY = 50_000
_SHOWN = 100
# Patterns below /var/log with the widest mode that they may have, the first match counts. Records of logins are
# written by programs of group utmp; what package tools write names packages only.
_LIMITS = (
    ("btmp*", 0o660),
    ("wtmp*", 0o664),
    ("lastlog*", 0o664),
    ("faillog*", 0o664),
    ("apt/*", 0o644),
    ("dpkg.log*", 0o644),
    ("alternatives.log*", 0o644),
    ("bootstrap.log*", 0o644),
    ("unattended-upgrades/*", 0o644),
    ("README", 0o777),
    ("*", 0o640),
)
_PEOPLE_FROM = 1000
_NOBODY = 65534


@probe("log_files", source="walk of /var/log")
def log_files(host: Host, params: Params) -> dict[str, Any]:
    """Return what stands out among the files below /var/log.

    {count, loose: [{path, mode, limit}] (more than the kind of log may give away), foreign: [{path, owner}] (of a
     person or of nobody known), open_folders: [paths that everybody may write to]}, each list at most 100 long.
    """
    value: dict[str, Any] = {"count": 0, "loose": [], "foreign": [], "open_folders": []}
    for path, status in _walk(host):
        value["count"] += 1
        if _PEOPLE_FROM <= status.uid < _NOBODY or host.user_name(status.uid) is None:
            value["foreign"].append({"path": path, "owner": host.user_name(status.uid) or str(status.uid)})
        if status.type == "directory" and status.mode & stat_bits.S_IWOTH:
            value["open_folders"].append(path)
        limit = _limit(path)
        if status.type == "file" and stat_bits.S_IMODE(status.mode) & ~limit & 0o777:
            value["loose"].append({"path": path, "mode": status.octal, "limit": f"{limit:04o}"})
    return {name: found[:_SHOWN] if isinstance(found, list) else found for name, found in value.items()}


@probe("logrotate", source="logrotate --debug /etc/logrotate.conf")
def logrotate(host: Host, params: Params) -> dict[str, Any]:
    """Return {errors: [what logrotate says of its settings], patterns: number of patterns that it rotates}.

    A dry run: nothing is rotated. Absent when logrotate is not installed.
    """
    if host.which("logrotate") is None:
        raise Absent("logrotate is not installed")
    answer = host.run(["logrotate", "--debug", "/etc/logrotate.conf"], timeout=10)
    lines = [line.strip() for line in (answer.stderr + answer.stdout).splitlines()]
    errors = [line for line in lines if line.startswith("error:")]
    if answer.rc != 0 and not errors:
        errors = [f"logrotate --debug ended with status {answer.rc}"]
    return {"errors": errors, "patterns": sum(line.startswith("rotating pattern:") for line in lines)}


@probe("disk_space", required=("path",), source="df {path}")
def disk_space(host: Host, params: Params) -> dict[str, Any]:
    """Return {free_bytes, free_percent, free_inodes_percent} of the file system that holds a path.

    A file system that counts no inodes has 100 % of them free. Absent when the path does not exist.
    """
    path = str(params["path"])
    host.stat(path)
    fields = "avail,size,iavail,itotal"
    lines = host.run(["df", "--block-size=1", f"--output={fields}", path]).require_ok().stdout.splitlines()
    numbers = lines[-1].split() if lines else []
    if len(numbers) != 4 or not (numbers[0].isdigit() and numbers[1].isdigit()):
        raise ProbeError(f"df {path} printed no sizes: {lines[-1:]}")
    free, size, inodes, all_inodes = (int(word) if word.isdigit() else 0 for word in numbers)
    return {
        "free_bytes": free,
        "free_percent": round(100 * free / size) if size else 0,
        "free_inodes_percent": round(100 * inodes / all_inodes) if all_inodes else 100,
    }


def _walk(host: Host) -> Iterator[tuple[str, FileStat]]:
    pending, seen = [_FOLDER], 0
    while pending:
        folder = pending.pop()
        host.check_deadline()
        try:
            entries = host.scandir(folder)
        except Absent:
            continue
        for entry in sorted(entries, key=lambda one: one.name):
            seen += 1
            if seen > _MANY:
                raise ProbeTimeout(f"{_FOLDER} holds more than {_MANY} names, which are too many to look at")
            if entry.stat is None or entry.stat.type == "link":
                continue
            path = f"{folder}/{entry.name}"
            yield path, entry.stat
            if entry.stat.type == "directory":
                pending.append(path)


def _limit(path: str) -> int:
    name = path[len(_FOLDER) + 1 :]
    return next(limit for pattern, limit in _LIMITS if fnmatchcase(name, pattern))
