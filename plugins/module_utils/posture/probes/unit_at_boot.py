# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a unit starts at the next boot, from the links on the disk: the service manager remembers older ones."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.posture.subject import word
from ansible_collections.rampart.fleet.plugins.module_utils.posture.unit_files import PASSING, SITE, VENDOR, stands

# systemctl(1), is-enabled.
_STATES = (
    "enabled enabled-runtime linked linked-runtime alias masked masked-runtime static indirect disabled generated "
    "transient bad"
)


_ALL = "unit_at_boot: all"
_NO_FILE = "not-found"


def _ask_all(host: Host, wanted: list[Params]) -> None:
    """Ask for all units that have a file at once; releases of systemd differ in how they go on after one without.

    Of a unit that has none wherever systemd looks, the disk has told already what `systemctl` would read there.
    """
    named = sorted({str(params["unit"]) for params in wanted})
    units = [unit for unit in named if _has_file(host, unit)]
    host.once(_ALL, lambda: {**dict.fromkeys(set(named) - set(units), _NO_FILE), **_states(host, units)})


def _has_file(host: Host, unit: str) -> bool:
    # An instance has the file of its template.
    name, at, rest = unit.partition("@")
    names = {unit, f"{name}@.{rest.rpartition('.')[2]}"} if at else {unit}
    return any(stands(host, f"{folder}/{one}") for folder in (*SITE, *VENDOR, *PASSING) for one in names)


def _states(host: Host, units: list[str]) -> dict[str, str]:
    states = host.run(["systemctl", "is-enabled", *units]).stdout.split() if units else []
    # Each unit gets its own question when the answers cannot be told apart.
    return dict(zip(units, states)) if len(states) == len(units) else {}


@probe("unit_at_boot", required=("unit",), source="systemctl is-enabled {unit}", prefetch=_ask_all)
def unit_at_boot(host: Host, params: Params) -> dict[str, Any]:
    """Return `{state}`: `enabled`, `disabled`, `static`, `masked`, ... as systemctl reads it from the disk.

    `systemctl show` answers with what the service manager read last, and misses a link that was removed since.
    Absent when there is no such unit file.
    """
    unit = str(params["unit"])
    known: dict[str, str] = host.once(_ALL, dict)
    if known.get(unit) == _NO_FILE:
        raise Absent(f"there is no unit file {unit} where systemd looks for units")
    if unit in known:
        return {"state": word(known[unit], _STATES, f"systemctl is-enabled {unit}")}
    answer = host.run(["systemctl", "is-enabled", unit])
    state = answer.stdout.strip()
    if state == _NO_FILE or (not state and "No such file" in answer.stderr):
        raise Absent(f"there is no unit file {unit}: {answer.stderr.strip()}")
    if not state:
        raise ProbeError(f"systemctl is-enabled {unit} ended with {answer.rc}: {answer.stderr.strip() or 'no output'}")
    return {"state": word(state, _STATES, f"systemctl is-enabled {unit}")}
