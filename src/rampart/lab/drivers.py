# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Which driver makes the hosts, and why."""

from __future__ import annotations

import importlib
import os
import sys

from rampart.lab.driver import Driver
from rampart.lab.errors import LabError
from rampart.lab.topology import Topology

DRIVERS = {"nspawn": ("rampart.lab.nspawn", "NspawnDriver"), "qemu": ("rampart.lab.qemu", "QemuDriver")}


def choose(topology: Topology, asked: str | None) -> tuple[str, str]:
    """The driver's name and the reason for it. LabError for an unknown one, or one that cannot make the topology."""
    reasons = topology.needs_vm
    if asked is not None:
        if asked not in DRIVERS:
            raise LabError(f"driver {asked!r} is not known; wanted one of {', '.join(DRIVERS)}")
        if asked == "nspawn" and reasons:
            raise LabError(
                f"topology {topology.name} cannot run as containers: {'; '.join(reasons)}; use --driver qemu"
            )
        return asked, "asked for"
    if reasons:
        return "qemu", f"topology {topology.name} needs virtual machines: {'; '.join(reasons)}"
    if not sys.platform.startswith("linux"):
        return "qemu", f"this is {sys.platform}, and containers need Linux"
    if os.geteuid() != 0:
        return "qemu", "containers need root, virtual machines do not"
    return "nspawn", "root on Linux: containers boot in about a second (no kernel of their own; see --driver qemu)"


def load(name: str) -> Driver:
    """The driver of that name. Only the one in use is imported."""
    module, attribute = DRIVERS[name]
    driver: Driver = getattr(importlib.import_module(module), attribute)()
    return driver
