# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Installed packages, from the database of dpkg."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.patterns import any_of
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_STATUS = "/var/lib/dpkg/status"
# States of dpkg(1) in which the files of a package are on the disk.
_PRESENT = ("installed", "half-configured", "unpacked", "triggers-awaited", "triggers-pending")
# States of dpkg(1) that last: in every other one an installation stopped half-way.
_SETTLED = ("installed", "config-files", "not-installed")
_FIELD = re.compile(r"^(Package|Status|Version|Architecture): (.*)$", re.M)


@probe("package", required=("name",), source="/var/lib/dpkg/status: {name}")
def package(host: Host, params: Params) -> dict[str, Any]:
    """Return {version, architecture, held}; Absent when the package is not installed, or only its configuration is."""
    name = str(params["name"])
    found = installed(host).get(name)
    if found is None:
        raise Absent(f"package {name} is not installed")
    return found


@probe("packages", required=("globs",), source="/var/lib/dpkg/status: {globs}")
def packages(host: Host, params: Params) -> list[str]:
    """Return the sorted names of the installed packages that match one of the shell patterns `globs`."""
    patterns = [str(pattern) for pattern in params["globs"]]
    names = installed(host)
    if not names:
        raise ProbeError(f"{_STATUS} names no installed package, wanted a list of those of this host")
    return matching(names, patterns)


@probe("packages_unfinished", source="/var/lib/dpkg/status")
def packages_unfinished(host: Host, params: Params) -> list[dict[str, str]]:
    """Return a list of {name, state} of packages whose installation or removal stopped half-way."""
    found = [{"name": name, "state": state} for name, state in _paragraphs(host) if state not in _SETTLED]
    return sorted(found, key=lambda one: one["name"])


def installed(host: Host) -> dict[str, dict[str, Any]]:
    """Return what `package` returns for every installed package, by name."""
    return host.once("packages", lambda: _installed(host))


def matching(names: Any, patterns: list[str]) -> list[str]:
    """Return the sorted names that match one of the shell patterns."""
    return sorted(filter(any_of(patterns), names))


def _installed(host: Host) -> dict[str, dict[str, Any]]:
    """Read the whole database once; asking dpkg-query for each package would take a process each."""
    found = {}
    for paragraph in host.read_text(_STATUS).split("\n\n"):
        fields = dict(_FIELD.findall(paragraph))
        want, _unused, state = [*fields.get("Status", "").split(), "", "", ""][:3]
        if "Package" in fields and state in _PRESENT:
            found[fields["Package"]] = {
                "version": fields.get("Version", ""),
                "architecture": fields.get("Architecture", ""),
                "held": want == "hold",
            }
    return found


def _paragraphs(host: Host) -> list[tuple[str, str]]:
    found = []
    for paragraph in host.read_text(_STATUS).split("\n\n"):
        fields = dict(_FIELD.findall(paragraph))
        if "Package" in fields:
            found.append((fields["Package"], [*fields.get("Status", "").split(), "", "", ""][2]))
    return found
