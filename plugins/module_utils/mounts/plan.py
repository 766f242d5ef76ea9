# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Which mount points lack wanted options: the kernel's mount table against what is wanted. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# Options that take something away from a mount; hidepid is proc's. Others have no business here.
_OPTION = re.compile(r"nosuid|nodev|noexec|ro|hidepid=(0|1|2|4|off|noaccess|invisible|ptraceable)")
_HIDEPID = {"off": "0", "noaccess": "1", "invisible": "2", "ptraceable": "4"}


class MountError(ValueError):
    """A path or an option is none; the message names all of them."""


@dataclass(frozen=True)
class Remount:
    """One mount point to change: the options it has, and those that are missing."""

    path: str
    before: tuple[str, ...]
    add: tuple[str, ...]


@dataclass
class Plan:
    """What to remount, and the paths that are no mount points, with the reason."""

    remounts: list[Remount] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)


def check(wanted: Mapping[str, Sequence[str]]) -> None:
    """Raise MountError when a path is not absolute or an option is not one that restricts."""
    problems = [
        f"{path}: wanted an absolute path in normal form"
        for path in wanted
        if posixpath.normpath(path) != path or path[:1] != "/"
    ]
    problems += [
        f"{path}: option {option!r}, wanted nosuid, nodev, noexec, ro or hidepid=N"
        for path, options in wanted.items()
        for option in options
        if not _OPTION.fullmatch(str(option))
    ]
    if problems:
        raise MountError("; ".join(problems))


def mount_table(mountinfo: str) -> dict[str, tuple[str, ...]]:
    """Return the options by mount point from /proc/self/mountinfo; the last mount on a path is the one in force."""
    table = {}
    for line in mountinfo.splitlines():
        words = line.split()
        if len(words) < 10 or "-" not in words[6:]:
            continue
        superblock = words[words.index("-", 6) + 3].split(",")
        table[_unescape(words[4])] = tuple(dict.fromkeys([*words[5].split(","), *superblock]))
    return table


def decide(wanted: Mapping[str, Sequence[str]], mountinfo: str) -> Plan:
    """Return what must be remounted."""
    table, plan = mount_table(mountinfo), Plan()
    for path, options in sorted(wanted.items()):
        if path not in table:
            plan.skipped.append({"path": path, "reason": f"{path} is no mount point of its own"})
            continue
        has = {_normal(option) for option in table[path]}
        missing = tuple(option for option in options if _normal(option) not in has | {"hidepid=0"})
        if missing:
            plan.remounts.append(Remount(path, table[path], missing))
    return plan


def _normal(option: str) -> str:
    name, sign, value = option.partition("=")
    return f"{name}={_HIDEPID.get(value, value)}" if name == "hidepid" and sign else option


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)
