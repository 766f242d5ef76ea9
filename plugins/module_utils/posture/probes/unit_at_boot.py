# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a unit starts at the next boot, from the links on the disk: the service manager remembers older ones."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe


@probe("unit_at_boot", required=("unit",), source="systemctl is-enabled {unit}")
def unit_at_boot(host: Host, params: Params) -> dict[str, Any]:
    """Return `{state}`: `enabled`, `disabled`, `static`, `masked`, ... as systemctl reads it from the disk.

    `systemctl show` answers with what the service manager read last, and misses a link that was removed since.
    Absent when there is no such unit file.
    """
    unit = str(params["unit"])
    answer = host.run(["systemctl", "is-enabled", unit])
    state = answer.stdout.strip()
    if not state or state == "not-found":
        raise Absent(f"there is no unit file {unit}: {answer.stderr.strip()}")
    return {"state": state}
