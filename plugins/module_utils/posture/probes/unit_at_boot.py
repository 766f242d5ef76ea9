# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a unit starts at the next boot, from the links on the disk: the service manager remembers older ones."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.posture.subject import word

# systemctl(1), is-enabled.
_STATES = (
    "enabled enabled-runtime linked linked-runtime alias masked masked-runtime static indirect disabled generated "
    "transient bad"
)


@probe("unit_at_boot", required=("unit",), source="systemctl is-enabled {unit}")
def unit_at_boot(host: Host, params: Params) -> dict[str, Any]:
    """Return `{state}`: `enabled`, `disabled`, `static`, `masked`, ... as systemctl reads it from the disk.

    `systemctl show` answers with what the service manager read last, and misses a link that was removed since.
    Absent when there is no such unit file.
    """
    unit = str(params["unit"])
    answer = host.run(["systemctl", "is-enabled", unit])
    state = answer.stdout.strip()
    if state == "not-found" or (not state and "No such file" in answer.stderr):
        raise Absent(f"there is no unit file {unit}: {answer.stderr.strip()}")
    if not state:
        raise ProbeError(f"systemctl is-enabled {unit} ended with {answer.rc}: {answer.stderr.strip() or 'no output'}")
    return {"state": word(state, _STATES, f"systemctl is-enabled {unit}")}
