# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What it means that a tool is not there: its program was never installed, or somebody took the tool away."""

from __future__ import annotations

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError, ToolMissing
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host


def require_subject(host: Host, tool: str, package: str, what: str) -> None:
    """Raise Absent with `what` when neither the tool nor its package is there.

    A package without its tool raises ToolMissing, which is an error: what the tool would have said is not known, and
    the host must not pass for one that does not have the program.
    """
    if host.which(tool) is not None:
        return
    if host.exists(f"/var/lib/dpkg/info/{package}.list"):
        raise ToolMissing(f"package {package} is installed, and its '{tool}' is not there: nothing can be asked")
    raise Absent(what)


def word(text: str, known: str, said_by: str) -> str:
    """Return what a tool said when it is one of the words of `known` (blanks between); ProbeError when it is not."""
    said = text.strip()
    if said not in known.split():
        raise ProbeError(f"{said_by} said {said[:60]!r}, wanted one of: {known}")
    return said
