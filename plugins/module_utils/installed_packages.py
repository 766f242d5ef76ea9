# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Which packages are installed, as far as their names can tell."""

from __future__ import annotations

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.package import installed, packages_unfinished


def installed_packages(host: Host) -> list[str] | None:
    """Return the names; None where apt has to be asked.

    That is without a database of dpkg, after an installation that stopped half-way, and where a name may stand for the
    package of another architecture.
    """
    try:
        found = installed(host)
        unfinished = packages_unfinished(host, {})
    except (Absent, ProbeError):
        return None
    architectures = {package["architecture"] for package in found.values()} - {"all"}
    return sorted(found) if not unfinished and len(architectures) == 1 else None
