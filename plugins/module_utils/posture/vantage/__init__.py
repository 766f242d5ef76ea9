# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401  the imports are the index
"""What can be seen of a host from another one: the kinds of probes with `vantage: external`.

Each kind takes the host to look at as the parameter `target`, which is added where it is measured, so that the
observation has the same key on every host. Nothing but the target is ever contacted.
"""

from __future__ import annotations

from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import ProbeKind, index
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage import (
    http_unauthenticated,
    icmp,
    ipv6,
    rdma_reachable,
    ssh_attempt,
    ssh_methods,
    ssh_offer,
    tcp_ports,
    tls_versions,
)

# Measured where the operator's key is, which never leaves the controller.
OF_CONTROLLER = ("ssh_attempt",)


def kinds() -> dict[str, ProbeKind]:
    """Return every kind by name."""
    return index(globals().values())
