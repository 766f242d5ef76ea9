# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the host carries, as part of the context in which its controls are judged."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.workload.facts import measure


@probe("workload", source="PCI devices; /sys/class/infiniband; sockets of container runtimes; /proc/*/fd")
def workload(host: Host, params: Params) -> dict[str, Any]:
    """Return the workload contract's facts: {gpu, rdma, container_runtime, gpu_containers_running, ...}.

    The list of all loaded modules is left out: it would stand in every report, and no control asks for it.
    """
    return {name: value for name, value in measure(host).items() if name != "modules"}
