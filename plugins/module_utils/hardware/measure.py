# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""All facts of a host's hardware at once; what cannot be measured is named with its reason, and nothing is guessed."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.rampart.fleet.plugins.module_utils.hardware import (
    bmc,
    host_security,
    memory,
    network,
    pci,
    processor,
    storage,
    trust,
    virtualisation,
)
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.facts import plain
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError, ProbeTimeout
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host

_INTERESTING = ("nvme", "raid", "network", "firewire")


def measure(host: Host, slow: bool = False) -> dict[str, Any]:
    """Return the facts by section, and `not_measured`: {section: reason}; such a section is null.

    `slow` asks tools as well that start a service or talk to the management controller, which takes seconds.
    """
    found: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for name, ask in (_SECTIONS | (_SLOW if slow else {})).items():
        try:
            found[name] = plain(ask(host))
        except (Absent, ProbeError, ProbeTimeout) as reason:
            found[name] = None
            missing[name] = str(reason)
    if not slow:
        missing |= dict.fromkeys(_SLOW, "not asked for: it takes seconds")
        found |= dict.fromkeys(_SLOW)
    return {**found, "not_measured": missing}


def _gpus(host: Host) -> list[dict[str, Any]]:
    return [
        {**plain(each), "aer": pci.errors(host, each.address), "xgmi_hive": pci.hive(host, each.address)}
        for each in pci.gpus(host)
    ]


def _devices(host: Host) -> list[dict[str, Any]]:
    return [plain(each) for kind in _INTERESTING for each in pci.of_kind(host, kind)]


def _storage(host: Host) -> dict[str, Any]:
    return {"disks": plain(storage.disks(host)), "arrays": plain(storage.arrays(host))}


_SECTIONS: dict[str, Callable[[Host], Any]] = {
    "virtualisation": virtualisation.detect,
    "identity": trust.identity,
    "processor": processor.read,
    "memory": memory.read,
    "memory_controllers": memory.controllers,
    "storage": _storage,
    "gpus": _gpus,
    "gpu_acs": pci.gpu_acs,
    "pci_devices": _devices,
    "ports": network.ports,
    "trust": trust.read,
}
_SLOW: dict[str, Callable[[Host], Any]] = {
    "nvme_health": storage.nvme_health,
    "management_channels": bmc.channels,
    "host_security": host_security.read,
}
