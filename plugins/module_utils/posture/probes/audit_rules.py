# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the kernel's audit system records, asked of the kernel itself over netlink by auditctl."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.audit_rules import (
    parse_rules,
    parse_status,
    recorded_syscalls,
    watches,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError, ToolMissing
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe


@probe("audit_rules", source="auditctl -s; auditctl -l")
def audit_rules(host: Host, params: Params) -> dict[str, Any]:
    """Return what the kernel answers.

    {enabled: 0|1|2 (2: locked), failure: 0|1|2 (2: panic), backlog_limit, lost: counts, pid: of auditd (0: none),
     rules: [as listed], watches: ["/etc/passwd wa"], syscalls: [names recorded by rules without a path],
     keys: [names]}. Absent when auditctl is not installed; ProbeError when the kernel does not answer (a container).
    """
    try:
        status = parse_status(host.run(["auditctl", "-s"]).require_ok().stdout)
        listed = host.run(["auditctl", "-l"]).require_ok().stdout
    except ToolMissing as error:
        raise Absent("auditctl is not installed, so nothing has loaded audit rules") from error
    if "enabled" not in status:
        raise ProbeError(f"auditctl -s has no line 'enabled', found {sorted(status)}")
    rules = parse_rules(listed)
    lines = [line.strip() for line in listed.splitlines() if line.strip() and line.strip() != "No rules"]
    wanted = ("enabled", "failure", "backlog_limit", "lost", "pid")
    return {
        **{name: status.get(name) for name in wanted},
        "rules": lines,
        "watches": watches(rules),
        "syscalls": recorded_syscalls(rules),
        "keys": sorted({key for rule in rules if (key := rule.value("key"))}),
    }
