# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The host that is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError


@dataclass(frozen=True)
class Target:
    """Where to look: an address or a name that the looking host can resolve, and the port of its SSH server."""

    address: str
    ssh_port: int = 22


def target_of(params: Mapping[str, Any]) -> Target:
    """Return the target among the parameters of a kind. Raises ProbeError when there is none."""
    given = params.get("target")
    if not isinstance(given, Mapping) or not given.get("address"):
        raise ProbeError(f"target is {given!r}, wanted {{address, ssh_port}} of the host to look at")
    return Target(str(given["address"]), int(given.get("ssh_port") or 22))
