# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""With which options a path will be mounted after the next boot: units, drop-ins, fstab, and what remounts later."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.mounts import mounts
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.posture.unit_files import (
    SITE,
    VENDOR,
    drop_ins,
    masked,
    stands,
    unit_text,
)

# What systemd mounts before it reads anything (src/shared/mount-setup.c).
_KERNEL = {
    "/proc": ("noexec", "nodev", "nosuid"),
    "/sys": ("noexec", "nodev", "nosuid"),
    "/dev": ("nosuid",),
    "/dev/shm": ("nodev", "nosuid"),
    "/run": ("nodev", "nosuid"),
}
_OPPOSITES = {"exec": "noexec", "suid": "nosuid", "dev": "nodev", "rw": "ro"}
_OPPOSITES.update({no: yes for yes, no in list(_OPPOSITES.items())})
# mount(8): who lets users mount takes these away as well.
_IMPLIED: dict[str, tuple[str, ...]] = dict.fromkeys(("user", "users"), ("noexec", "nosuid", "nodev"))
_IMPLIED.update(dict.fromkeys(("owner", "group"), ("nosuid", "nodev")))
_REMOUNT = re.compile(r"\bremount\b")


@probe("mount_at_boot", required=("path",), source="/etc/fstab, mount units and drop-ins, services that remount {path}")
def mount_at_boot(host: Host, params: Params) -> dict[str, Any]:
    """Return {origin, options: sorted, remounted_by: [units]} of a path after the next boot.

    origin: the unit's file, `/etc/fstab`, `systemd` (mounted by itself), or `manager` (a container's, which mounts
    before systemd runs; its options are not known here, only what remounts adds). Drop-ins of a mount unit win over the
    unit and over fstab; services that are wanted at boot and run `mount -o remount` win over both. Absent when nothing
    mounts the path at boot.
    """
    path = str(params["path"]).rstrip("/") or "/"
    origin, options = _mounted(host, path)
    kept = _apply((), options)
    by = []
    for unit, added in _remounts(host).get(path, []):
        kept = _apply(kept, added)
        by.append(unit)
    return {"origin": origin, "options": sorted(kept), "remounted_by": by}


def _mounted(host: Host, path: str) -> tuple[str, list[str]]:
    unit = _escaped(path) + ".mount"
    table = _fstab(host).get(path)
    for folder in SITE:
        if stands(host, f"{folder}/{unit}"):
            return _from_unit(host, unit, f"{folder}/{unit}")
    if table is not None and "noauto" not in table:
        return "/etc/fstab", _overridden(host, unit, table)
    for folder in VENDOR:
        if stands(host, f"{folder}/{unit}") and _wanted(host, unit):
            return _from_unit(host, unit, f"{folder}/{unit}")
    if path in _KERNEL:
        return "systemd", list(_KERNEL[path])
    if _in_container(host) and any(one.path == path for one in mounts(host)):
        return "manager", []
    raise Absent(f"nothing mounts {path} at boot")


def _from_unit(host: Host, unit: str, file: str) -> tuple[str, list[str]]:
    if masked(host, file):
        raise Absent(f"{file} masks the mount")
    if not _wanted(host, unit):
        raise Absent(f"{file} is wanted by nothing at boot")
    return file, _overridden(host, unit, _last(host.read_text(file), "Options"))


def _overridden(host: Host, unit: str, options: list[str]) -> list[str]:
    for file in drop_ins(host, unit):
        if re.search(r"(?m)^\s*Options\s*=", host.read_text(file)):
            options = _last(host.read_text(file), "Options")
    return options


def _last(text: str, name: str) -> list[str]:
    found = re.findall(rf"(?m)^\s*{name}\s*=[ \t]*(.*?)[ \t]*$", text)
    return [word for word in (found[-1] if found else "").split(",") if word]


def _remounts(host: Host) -> dict[str, list[tuple[str, list[str]]]]:
    """Return by path what services that start at boot remount, in the order of their names."""
    return host.once("mount_at_boot: remounts", lambda: _read_remounts(host))


def _read_remounts(host: Host) -> dict[str, list[tuple[str, list[str]]]]:
    found: dict[str, list[tuple[str, list[str]]]] = {}
    links = host.glob("/etc/systemd/system/*.wants/*.service")
    for unit in sorted({link.rsplit("/", 1)[-1] for link in links}):
        for path, options in _remounting(unit_text(host, unit)):
            found.setdefault(path, []).append((unit, options))
    return found


def _remounting(text: str) -> Iterable[tuple[str, list[str]]]:
    if not _REMOUNT.search(text):
        return []
    commands: list[str] = []
    for value in re.findall(r"(?m)^\s*ExecStart\s*=[ \t]*(.*?)[ \t]*$", text):
        # An empty value takes back what came before it.
        commands = [*commands, value] if value else []
    return [one for one in map(_remount, commands) if one is not None]


def _remount(command: str) -> tuple[str, list[str]] | None:
    try:
        words = shlex.split(command.lstrip("-@:+!"))
    except ValueError:
        return None
    if not words or words[0].rsplit("/", 1)[-1] != "mount" or "-o" not in words[:-1]:
        return None
    options = words[words.index("-o") + 1].split(",")
    return (words[-1].rstrip("/") or "/", options[1:]) if options[0] == "remount" else None


def _fstab(host: Host) -> dict[str, list[str]]:
    """Return options by mount point; of two lines the last one counts."""
    try:
        text = host.read_text("/etc/fstab")
    except Absent:
        return {}
    rows = [line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return {_unescaped(row[1]).rstrip("/") or "/": row[3].split(",") for row in rows if len(row) >= 4}


def _apply(kept: Iterable[str], options: Iterable[str]) -> set[str]:
    """Return the options with others added in their order, each taking away its opposite."""
    result = set(kept)
    for option in options:
        for one in (*_IMPLIED.get(option, ()), option):
            result.discard(_OPPOSITES.get(one, ""))
            result.add(one)
    return result - {"defaults", ""}


def _wanted(host: Host, unit: str) -> bool:
    return any(host.glob(f"{folder}/*.{kind}/{unit}") for folder in (*SITE, *VENDOR) for kind in ("wants", "requires"))


def _in_container(host: Host) -> bool:
    return stands(host, "/run/systemd/container")


def _escaped(path: str) -> str:
    """Return the path as the name of a unit (systemd-escape --path)."""
    return "-" if path == "/" else path.strip("/").replace("-", "\\x2d").replace("/", "-")


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)
