# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Which units run, fail, and come at the next boot: one question to the manager, and the links it reads at boot."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.patterns import any_of
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

# systemd.unit(5), highest first; a name is looked up in this order, and a link to /dev/null ends the search.
_PATH = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
)
# What another boot finds as well: /run/systemd/system ends with this one, generators run again.
_KEPT = tuple(folder for folder in _PATH if folder != "/run/systemd/system")
_RUNNING = ("active", "activating", "reloading")
_SCANNED = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")


@probe(
    "units_in_use", required=("units",), optional=("except",), source="systemctl list-units; links of targets: {units}"
)
def units_in_use(host: Host, params: Params) -> dict[str, list[str]]:
    """Return {active, at_boot} of the shell patterns `units`: who runs now, and whom a target wants at the next boot.

    A unit counts as wanted when a link in a `.wants` or `.requires` folder names it, its file exists, and it is not
    masked: that is what the manager reads at boot, whether the unit has an [Install] section or not. The patterns of
    `except` are left out.
    """
    asked, spared = (any_of(str(pattern) for pattern in params.get(name, [])) for name in ("units", "except"))
    listed: list[dict[str, str]] = host.once("list-units", lambda: _list_units(host))
    wanted: list[str] = host.once("units at boot", lambda: _wanted(host))
    active = [unit["unit"] for unit in listed if unit["active"] in _RUNNING]
    return {
        which: sorted({name for name in names if asked(name) and not spared(name)})
        for which, names in (("active", active), ("at_boot", wanted))
    }


@probe("failed_units", source="systemctl list-units: failed")
def failed_units(host: Host, params: Params) -> list[str]:
    """Return the names of the units that failed and were not started again since."""
    listed: list[dict[str, str]] = host.once("list-units", lambda: _list_units(host))
    return sorted(unit["unit"] for unit in listed if unit["active"] == "failed")


@probe("default_target", source="systemctl get-default")
def default_target(host: Host, params: Params) -> dict[str, str]:
    """Return {target}: the real name of what the next boot ends in, aliases resolved."""
    name = host.run(["systemctl", "get-default"]).require_ok().stdout.strip()
    if not name.endswith(".target"):
        raise ProbeError(f"systemctl get-default said {name!r}, wanted the name of a target")
    return {"target": name}


@probe("unit_files_open", source="stat of every unit file and drop-in")
def unit_files_open(host: Host, params: Params) -> dict[str, Any]:
    """Return {scanned, matches}: unit files, drop-ins and their folders that somebody but root owns or may write.

    Each match is {path, mode, owner}. Links are looked at behind themselves: to what they lead counts.
    """
    matches: list[dict[str, Any]] = []
    scanned = 0
    for folder in _SCANNED:
        for path in (folder, *host.glob(f"{folder}/*"), *host.glob(f"{folder}/*.d/*")):
            host.check_deadline()
            try:
                status = host.stat(path)
            except Absent:
                # A link to nowhere, or a folder that this system does not have.
                continue
            scanned += 1
            # /dev/null, where a masked unit leads, is everybody's to write and says nothing.
            if status.type in ("file", "directory") and (status.uid != 0 or status.mode & 0o022):
                matches.append({"path": path, "mode": status.octal, "owner": host.user_name(status.uid)})
    return {"scanned": scanned, "matches": matches}


def _list_units(host: Host) -> list[dict[str, str]]:
    argv = ["systemctl", "list-units", "--all", "--no-pager", "--output=json"]
    text = host.run(argv).require_ok().stdout
    try:
        units = json.loads(text)
        return [{"unit": str(unit["unit"]), "active": str(unit["active"])} for unit in units]
    except (ValueError, KeyError, TypeError):
        raise ProbeError(f"{' '.join(argv)} answered with something else than units: {text[:200]!r}") from None


def _wanted(host: Host) -> list[str]:
    """Return the names of all units that a link of a target asks for, that exist, and that nobody masked."""
    linked = {
        path.rsplit("/", 1)[1]
        for folder in _KEPT
        for kind in ("wants", "requires")
        for path in host.glob(f"{folder}/*.{kind}/*")
    }
    return sorted(name for name in linked if _loads(host, name))


def _loads(host: Host, name: str) -> bool:
    prefix, at, rest = name.partition("@")
    template = f"{prefix}@.{rest.rsplit('.', 1)[-1]}" if at else name
    for candidate in dict.fromkeys((name, template)):
        for folder in _KEPT:
            path = f"{folder}/{candidate}"
            try:
                status = host.stat(path, follow=False)
            except Absent:
                continue
            return status.type != "link" or host.readlink(path) != "/dev/null"
    return False
