# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Units as the service manager has them, and the processes that they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_PROPERTIES = [
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "UnitFilePreset",
    "Type",
    "Result",
    "MainPID",
    "User",
    "Group",
    "NRestarts",
    "ExecMainStatus",
    "FragmentPath",
    "DropInPaths",
    "NeedDaemonReload",
    "NoNewPrivileges",
    "ProtectSystem",
    "ProtectHome",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "PrivateTmp",
    "PrivateDevices",
    "CapabilityBoundingSet",
    "MemoryDenyWriteExecute",
    "RestrictAddressFamilies",
    "LimitMEMLOCK",
    "LimitMEMLOCKSoft",
    "LimitNOFILE",
    "LimitCORE",
    "Listen",
    "Where",
    "What",
    "Options",
    "NextElapseUSecRealtime",
    "NextElapseUSecMonotonic",
    "LastTriggerUSec",
    "Nice",
    "IOSchedulingClass",
    "CPUQuotaPerSecUSec",
    "MemoryMax",
]
_ALL = "systemd_unit: all"


def _show_all(host: Host, wanted: list[Params]) -> None:
    """Ask for all units at once: starting systemctl costs more than what it is asked."""
    units = sorted({_name(params) for params in wanted})
    host.once(_ALL, lambda: show_units(host, units))


@probe("systemd_unit", required=("unit",), source="systemctl show {unit}", prefetch=_show_all)
def systemd_unit(host: Host, params: Params) -> dict[str, str]:
    """Return properties of a unit as systemd writes them: {LoadState, ActiveState, SubState, UnitFileState, ...}.

    A name without a suffix is a service. Absent when no such unit is installed and none runs.
    """
    found = properties(host, _name(params))
    if found["LoadState"] == "not-found" and found["ActiveState"] == "inactive":
        raise Absent(f"no unit {_name(params)} is installed")
    return found


@probe("process", required=("unit",), source="/proc/<MainPID of {unit}>: limits, status, cmdline")
def process(host: Host, params: Params) -> dict[str, Any]:
    """Return {limits, status, cmdline} of a unit's main process; Absent when it runs none.

    limits: {"Max locked memory": {soft, hard}} with numbers, or `unlimited`. status: the lines of /proc/PID/status
    (NoNewPrivs, Seccomp, CapEff, ...) as text. cmdline: list of arguments.
    """
    unit = _name(params)
    pid = properties(host, unit).get("MainPID", "0")
    if not pid.isdigit() or pid == "0":
        raise Absent(f"{unit} runs no process")
    return {
        "limits": _limits(host.read_text(f"/proc/{pid}/limits")),
        "status": _status(host.read_text(f"/proc/{pid}/status")),
        "cmdline": [word for word in host.read_text(f"/proc/{pid}/cmdline").split("\0") if word],
    }


def properties(host: Host, unit: str) -> dict[str, str]:
    """Return the properties of a unit, from what was asked for all when it was among them."""
    everything: dict[str, dict[str, str]] = host.once(_ALL, dict)
    if unit in everything:
        return everything[unit]
    return host.once(f"systemd_unit: {unit}", lambda: show_units(host, [unit]))[unit]


def show_units(host: Host, units: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the properties of units by name; ProbeError when systemd does not answer for all of them."""
    argv = ["systemctl", "show", "--no-pager", "--property=" + ",".join(_PROPERTIES), "--", *units]
    answer = host.run(argv)
    if answer.rc != 0:
        raise ProbeError(f"systemctl show ended with status {answer.rc}: {answer.stderr.strip()[-300:]}")
    # One block for each unit, in the order asked for; an alias answers under the Id of the unit that it stands for.
    blocks = [block for block in answer.stdout.split("\n\n") if block.strip()]
    if len(blocks) != len(units):
        raise ProbeError(f"systemctl show answered with {len(blocks)} units, wanted {len(units)}: {' '.join(units)}")
    return {unit: _block(unit, block) for unit, block in zip(units, blocks)}


def _block(unit: str, block: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in block.splitlines() if "=" in line)
    # Properties without a value are left out; those of other unit types are not there at all.
    found = {name: value for name, _unused, value in pairs if value}
    for name in ("LoadState", "ActiveState"):
        if name not in found:
            raise ProbeError(f"systemctl show {unit} has no {name}")
    return found


def _name(params: Params) -> str:
    unit = str(params["unit"])
    return unit if "." in unit else f"{unit}.service"


def _limits(text: str) -> dict[str, dict[str, Any]]:
    limits = {}
    # Columns are fixed: the name is 26 wide, the two values 21 each (fs/proc/base.c).
    for line in text.splitlines()[1:]:
        limits[line[:26].strip()] = {"soft": _number(line[26:47].strip()), "hard": _number(line[47:68].strip())}
    return limits


def _number(text: str) -> Any:
    return int(text) if text.isdigit() else text


def _status(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name: " ".join(value.split()) for name, _unused, value in pairs}
