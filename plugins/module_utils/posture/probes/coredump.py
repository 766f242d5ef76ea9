# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What becomes of the memory of a program that crashes: model weights and keys are in it."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.umask import session
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe


@probe("coredump", source="core_pattern; systemd-analyze cat-config systemd/coredump.conf; limits of a PAM session")
def coredump(host: Host, params: Params) -> dict[str, Any]:
    """Return {pattern, handler: systemd-coredump, pipe or file, config: {name: text}, session_soft, session_hard}.

    `config` is systemd-coredump's, all drop-ins merged, lower-case names, and empty when it is not installed. The
    limits are those of a new login session: 0, unlimited, or a number of ulimit's blocks as text.
    """
    pattern = host.read_text("/proc/sys/kernel/core_pattern").strip()
    soft, hard = session(host)[1:]
    return {
        "pattern": pattern,
        "handler": _handler(pattern),
        "config": _config(host),
        "session_soft": soft,
        "session_hard": hard,
    }


def _handler(pattern: str) -> str:
    if not pattern.startswith("|"):
        return "file"
    return "systemd-coredump" if "systemd-coredump" in pattern.split()[0] else "pipe"


def _config(host: Host) -> dict[str, str]:
    if not any(host.exists(path) for path in ("/usr/lib/systemd/systemd-coredump", "/lib/systemd/systemd-coredump")):
        return {}
    try:
        text = host.run(["systemd-analyze", "cat-config", "systemd/coredump.conf"]).require_ok().stdout
    except Absent:
        return {}
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and line[0] not in "#;[")
    return {name.strip().lower(): value.strip() for name, _unused, value in pairs}
