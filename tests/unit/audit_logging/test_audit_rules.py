# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Rules as written and as auditctl lists them are the same rules; a missing one is named."""

from __future__ import annotations

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils import audit_rules

WRITTEN = """\
# Managed by Rampart
-b 8192
-f 1
-w /etc/passwd -p wa -k identity
-w /etc/sudoers.d/ -p wa -k privilege
-a always,exit -F arch=b64 -S finit_module,init_module -k modules
-a always,exit -F arch=b64 -S execve -F euid=0 -F auid>=1000 -F auid!=unset -k root_commands
"""
# auditctl -l of audit 3.0.9, and the same rules in the form that audit 4 recommends and lists.
LISTED_3 = """\
-w /etc/passwd -p wa -k identity
-w /etc/sudoers.d -p wa -k privilege
-a always,exit -F arch=b64 -S init_module,finit_module -F key=modules
-a always,exit -F arch=b64 -S execve -F euid=0 -F auid>=1000 -F auid!=-1 -F key=root_commands
"""
LISTED_4 = """\
-a always,exit -S all -F path=/etc/passwd -F perm=wa -F key=identity
-a always,exit -F arch=b64 -S all -F dir=/etc/sudoers.d -F perm=wa -F key=privilege
-a always,exit -F arch=b64 -S init_module,finit_module -F key=modules
-a always,exit -F arch=b64 -S execve -F euid=0 -F auid>=1000 -F auid!=-1 -F key=root_commands
"""
STATUS = "enabled 1\nfailure 1\npid 412\nrate_limit 0\nbacklog_limit 8192\nlost 0\nloginuid_immutable 0 unlocked\n"


@pytest.mark.parametrize("listed", [LISTED_3, LISTED_4])
def test_rules_that_are_loaded_are_found_however_they_are_listed(listed: str) -> None:
    assert audit_rules.missing(WRITTEN, listed) == []


def test_a_rule_that_is_not_loaded_is_named_as_it_was_written() -> None:
    listed = LISTED_3.replace("-w /etc/passwd -p wa -k identity\n", "")
    assert audit_rules.missing(WRITTEN, listed) == ["-w /etc/passwd -p wa -k identity"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("-p wa -k identity", "-p r -k identity"),
        ("init_module,finit_module", "init_module"),
        ("auid>=1000", "auid>=0"),
        ("arch=b64 -S execve", "arch=b32 -S execve"),
    ],
)
def test_a_rule_that_says_less_is_not_the_rule(before: str, after: str) -> None:
    assert len(audit_rules.missing(WRITTEN, LISTED_3.replace(before, after))) == 1


def test_no_rules_means_that_all_are_missing() -> None:
    assert len(audit_rules.missing(WRITTEN, "No rules\n")) == 4


def test_settings_are_read_from_both_sides() -> None:
    status = audit_rules.parse_status(STATUS)
    assert audit_rules.wanted_status(WRITTEN) == {"backlog_limit": 8192, "failure": 1}
    assert (status["enabled"], status["backlog_limit"], status["pid"]) == (1, 8192, 412)


def test_watches_and_system_calls_are_told_apart() -> None:
    rules = audit_rules.parse_rules(LISTED_4)
    assert audit_rules.watches(rules) == ["/etc/passwd wa", "/etc/sudoers.d wa"]
    assert audit_rules.recorded_syscalls(rules) == ["execve", "finit_module", "init_module"]


def test_a_rule_that_never_records_adds_no_system_call() -> None:
    assert audit_rules.recorded_syscalls(audit_rules.parse_rules("-a never,exit -F arch=b64 -S unlink")) == []


@pytest.mark.parametrize("line", ["-w", "-x y", "-a always,exit -F nonsense"])
def test_what_is_no_rule_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="audit"):
        audit_rules.parse_rule(line)
