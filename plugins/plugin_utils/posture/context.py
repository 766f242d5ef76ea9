# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What a host is, from what was measured on it: the context in which its controls are judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import Request
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import Observation

_KINDS = ("virt", "os_release", "workload", "simulated_hardware")


def context_requests() -> list[Request]:
    """Return what has to be measured for the context."""
    return [Request(kind, kind) for kind in _KINDS]


def context_of(name: str, mode: str, observations: Mapping[str, Observation]) -> dict[str, Any]:
    """Return {hostname, mode, virt, os: {id, version}, kernel, workload, simulated}; None for what was not measured.

    `hostname` is the name in the inventory, which waivers go by.
    """
    known = {kind: observations[kind].value for kind in _KINDS if observations[kind].status == "ok"}
    system = known.get("os_release")
    return {
        "hostname": name,
        "mode": mode,
        "virt": known["virt"]["kind"] if "virt" in known else None,
        "os": {"id": system["id"], "version": system["version"]} if system else None,
        "kernel": system["kernel"] if system else None,
        "workload": known.get("workload"),
        "simulated": known.get("simulated_hardware"),
    }
