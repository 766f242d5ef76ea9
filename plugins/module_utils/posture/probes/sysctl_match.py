# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""One kernel parameter of many interfaces at once: what holds for `all` need not hold for each."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.sysctl import sysctl
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_BASE = "/proc/sys/"


@probe("sysctl_match", required=("pattern",), source="/proc/sys: {pattern}")
def sysctl_match(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return [{key, value}] for every parameter that a pattern such as `net/ipv4/conf/*/rp_filter` stands for.

    The pattern has slashes, because names of interfaces may hold dots. Absent when this kernel has none of them.
    """
    return [{"key": key, "value": sysctl(host, {"key": key})} for key in matching_keys(host, str(params["pattern"]))]


def matching_keys(host: Host, pattern: str) -> list[str]:
    """Return the keys below /proc/sys that a pattern stands for; Absent when there are none."""
    if pattern.startswith("/") or ".." in pattern or "/" not in pattern:
        raise ProbeError(f"'{pattern}' is no pattern of sysctls, wanted one such as net/ipv4/conf/*/rp_filter")
    keys = [path[len(_BASE) :] for path in host.glob(_BASE + pattern)]
    if not keys:
        raise Absent(f"this kernel has nothing that {_BASE}{pattern} stands for")
    return keys
