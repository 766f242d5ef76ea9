# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Whether RDMA reaches a host, which no packet filter of either host decides on."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.target import target_of

# What rdma_cm says: the far end refused or accepted, so packets came and went; or nobody answered.
_ANSWERED = ("REJECTED", "ESTABLISHED", "connected")
_SILENT = ("UNREACHABLE", "ADDR_ERROR", "ROUTE_ERROR", "CONNECT_ERROR")


@probe("rdma_reachable", source="rping -c -a {target}")
def rdma_reachable(host: Host, params: Params) -> dict[str, Any]:
    """Return `{reachable: bool, detail}`: whether the RDMA connection manager of the target answered.

    A refusal is an answer. Absent when this host has no RDMA device or no rping.
    """
    target = target_of(params)
    if not host.glob("/sys/class/infiniband/*"):
        raise Absent("the host that looks has no RDMA device")
    if host.which("rping") is None:
        raise Absent("the host that looks has no rping (package rdmacm-utils)")
    answer = host.run(["rping", "-c", "-a", target.address, "-C", "1", "-v", "-d"], timeout=4.0)
    text = answer.stdout + answer.stderr
    word = next((one for one in (*_ANSWERED, *_SILENT) if one in text), None)
    if word is None and answer.rc != 0:
        raise ProbeError(f"rping ended with status {answer.rc}: {' '.join(text.split())[-200:]}")
    return {"reachable": word is None or word in _ANSWERED, "detail": word or "a ping came back"}
