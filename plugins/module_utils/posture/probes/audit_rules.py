# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the audit system records: asked of the kernel over netlink by auditctl, and read from what a boot would load."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.audit_rules import (
    Rule,
    describe,
    merged,
    parse_rules,
    parse_status,
    recorded_syscalls,
    silencers,
    uncovered,
    wanted_status,
    watches,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import (
    ProbeError,
    ProbeTimeout,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.file_search import file_search
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.posture.subject import require_subject

_FOLDER = "/etc/audit/rules.d"
# What the kernel starts with, when no file says otherwise.
_BOOT_DEFAULTS = {"enabled": 0, "failure": 1, "backlog_limit": 64}
_PRIVILEGED = "-a always,exit -F path={} -F perm=x -F auid>=1000 -F auid!=unset"


@probe("audit_rules", source="auditctl -s; auditctl -l")
def audit_rules(host: Host, params: Params) -> dict[str, Any]:
    """Return what the kernel answers.

    {enabled: 0|1|2 (2: locked), failure: 0|1|2 (2: panic), backlog_limit, lost: counts, pid: of auditd (0: none),
     rules: [as listed], watches: ["/etc/passwd wa"], syscalls: [names recorded by rules without a path],
     keys: [names], silencers: [rules that keep all processes or a type of record out]}. Absent when auditctl is not
    installed; ProbeError when the kernel does not answer (a container).
    """
    status = parse_status(_ask(host, "-s"))
    if "enabled" not in status:
        raise ProbeError(f"auditctl -s has no line 'enabled', found {sorted(status)}")
    wanted = ("enabled", "failure", "backlog_limit", "lost", "pid")
    return {**{name: status.get(name) for name in wanted}, **_summary(_ask(host, "-l"))}


@probe("audit_rules_at_boot", source="/etc/audit/rules.d/*.rules as augenrules merges them")
def audit_rules_at_boot(host: Host, params: Params) -> dict[str, Any]:
    """Return {enabled, failure, backlog_limit, rules, watches, syscalls, keys, silencers} of the next boot.

    augenrules reads the files by name, and of `-b`, `-f` and `-e` the last one holds. Absent without the folder.
    """
    text = _boot_text(host)
    return {**_BOOT_DEFAULTS, **wanted_status(text), **_summary(text)}


@probe("audit_coverage", required=("rules",), source="auditctl -l")
def audit_coverage(host: Host, params: Params) -> dict[str, Any]:
    """Return {missing: [what of the wanted rules the kernel does not record]}, by arch and system call, or by path.

    `rules` are lines as auditctl takes them. A loaded rule counts when it records at least as much, under any key.
    """
    return {"missing": uncovered(_lines(params), _kernel_rules(host), _machine(host))}


@probe("audit_coverage_at_boot", required=("rules",), source="/etc/audit/rules.d/*.rules as augenrules merges them")
def audit_coverage_at_boot(host: Host, params: Params) -> dict[str, Any]:
    """Return the same of the rules that the next boot loads."""
    return {"missing": uncovered(_lines(params), _boot_rules(host), _machine(host))}


@probe("audit_privileged", source="walk of / for set-id programs; auditctl -l; /etc/audit/rules.d")
def audit_privileged(host: Host, params: Params) -> dict[str, Any]:
    """Return {commands: number, unrecorded: [programs whose use is not recorded], unrecorded_at_boot: [the same]}.

    The programs are those of local file systems with a set-user-id or set-group-id bit. A walk that was not finished
    proves nothing, unless it found one that is not recorded.
    """
    machine = _machine(host)
    found = file_search.measure(host, {"criteria": "suid_sgid"})
    wanted = {_PRIVILEGED.format(path): path for path in found["matches"]}
    now = uncovered(wanted, _kernel_rules(host), machine)
    boot = uncovered(wanted, _boot_rules(host), machine)
    if not found["complete"] and not now and not boot:
        raise ProbeTimeout(f"all {len(wanted)} programs that were found are recorded; there was no time for the others")
    return {
        "commands": len(wanted),
        "unrecorded": [wanted[line] for line in now],
        "unrecorded_at_boot": [wanted[line] for line in boot],
    }


@probe("audit_rules_drift", source="auditctl -s; auditctl -l; /etc/audit/rules.d/*.rules")
def audit_rules_drift(host: Host, params: Params) -> dict[str, Any]:
    """Return {only_running: [rules], only_at_boot: [rules], settings: [names that differ]} of kernel and files."""
    text = _boot_text(host)
    running, boot = _kernel_rules(host), _boot_rules(host)
    status = parse_status(_ask(host, "-s"))
    return {
        "only_running": [describe(rule) for rule in running if rule not in boot],
        "only_at_boot": [describe(rule) for rule in boot if rule not in running],
        "settings": sorted(name for name, value in wanted_status(text).items() if status.get(name) != value),
    }


def _ask(host: Host, option: str) -> str:
    require_subject(host, "auditctl", "auditd", "auditctl is not installed, so nothing has loaded audit rules")
    return host.run(["auditctl", option]).require_ok().stdout


# Seventy probes ask what some hundred rules mean: each text is read once.
def _kernel_rules(host: Host) -> list[Rule]:
    return host.once("audit rules of the kernel", lambda: _parse(_ask(host, "-l")))


def _boot_rules(host: Host) -> list[Rule]:
    return host.once("audit rules of the next boot", lambda: _parse(_boot_text(host)))


def _boot_text(host: Host) -> str:
    names = [name for name in host.listdir(_FOLDER) if name.endswith(".rules")]
    return merged({name: host.read_text(f"{_FOLDER}/{name}") for name in names})


def _parse(text: str) -> list[Rule]:
    try:
        return parse_rules(text)
    except ValueError as error:
        raise ProbeError(str(error)) from error


def _summary(text: str) -> dict[str, Any]:
    rules = _parse(text)
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith(("-a", "-A", "-w"))]
    return {
        "rules": lines,
        "watches": watches(rules),
        "syscalls": recorded_syscalls(rules),
        "keys": sorted({key for rule in rules if (key := rule.value("key"))}),
        "silencers": silencers(rules),
    }


def _lines(params: Params) -> Sequence[str]:
    return [str(line) for line in params["rules"]]


def _machine(host: Host) -> str:
    return host.run(["uname", "-m"]).require_ok().stdout.strip()
