# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Installed packages, from the database of dpkg."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_STATUS = "/var/lib/dpkg/status"
# States of dpkg(1) in which the files of a package are on the disk.
_PRESENT = ("installed", "half-configured", "unpacked", "triggers-awaited", "triggers-pending")
_FIELD = re.compile(r"^(Package|Status|Version|Architecture): (.*)$", re.M)


@probe("package", required=("name",), source="/var/lib/dpkg/status: {name}")
def package(host: Host, params: Params) -> dict[str, Any]:
    """Return {version, architecture, held}; Absent when the package is not installed, or only its configuration is."""
    name = str(params["name"])
    found = host.once("packages", lambda: _installed(host)).get(name)
    if found is None:
        raise Absent(f"package {name} is not installed")
    return found


def _installed(host: Host) -> dict[str, dict[str, Any]]:
    """Read the whole database once; asking dpkg-query for each package would take a process each."""
    packages = {}
    for paragraph in host.read_text(_STATUS).split("\n\n"):
        fields = dict(_FIELD.findall(paragraph))
        want, _unused, state = [*fields.get("Status", "").split(), "", "", ""][:3]
        if "Package" in fields and state in _PRESENT:
            packages[fields["Package"]] = {
                "version": fields.get("Version", ""),
                "architecture": fields.get("Architecture", ""),
                "held": want == "hold",
            }
    return packages
