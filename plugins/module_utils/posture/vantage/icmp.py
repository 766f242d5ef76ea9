# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a host answers an echo request."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.target import target_of


@probe("icmp", source="ping {target}")
def icmp(host: Host, params: Params) -> dict[str, Any]:
    """Return `{echo: bool}`. Absent when this host has no ping."""
    return {"echo": echoes(host, target_of(params).address)}


def echoes(host: Host, address: str) -> bool:
    """Say whether one of two echo requests was answered. Raises Absent or ProbeError."""
    if host.which("ping") is None:
        raise Absent("the host that looks has no ping")
    answer = host.run(["ping", "-n", "-q", "-c", "2", "-i", "0.2", "-W", "1", address], timeout=3.0)
    if answer.rc > 1:
        raise ProbeError(f"ping ended with status {answer.rc}: {answer.stderr.strip()[-200:]}")
    return answer.rc == 0
