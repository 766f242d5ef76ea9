# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the kernel records, what the next boot would load, and what auditd runs with, from recorded hosts."""

from __future__ import annotations

import stat
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import FileStat
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.audit_rules import (
    audit_coverage,
    audit_coverage_at_boot,
    audit_privileged,
    audit_rules,
    audit_rules_at_boot,
    audit_rules_drift,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.auditd import audit_files, auditd_settings

from .recorded_host import RecordedHost

STATUS = "enabled 1\nfailure 1\npid 412\nrate_limit 0\nbacklog_limit 8192\nlost 0\n"
LISTED = """\
-w /etc/passwd -p wa -k identity
-w /etc/ssh -p wa -k sshd
-a always,exit -F arch=b64 -S mount,umount2 -F auid>=1000 -F auid!=-1 -F key=mounts
-a always,exit -F arch=b32 -S mount,umount2 -F auid>=1000 -F auid!=-1 -F key=mounts
-a always,exit -F arch=b64 -S execve -C uid!=euid -F auid!=-1 -F key=user_emulation
-a always,exit -F arch=b32 -S execve -C uid!=euid -F auid!=-1 -F key=user_emulation
-a always,exit -S all -F path=/usr/bin/sudo -F perm=x -F auid>=1000 -F auid!=-1 -F key=privileged
"""
STOCK = "-D\n-b 8192\n-f 1\n--backlog_wait_time 60000\n"
OURS = """\
# ours
-w /etc/passwd -p wa -k identity
-w /etc/ssh -p wa -k sshd
-a always,exit -F arch=b64 -S mount,umount2 -F auid>=1000 -F auid!=unset -k mounts
-a always,exit -F arch=b32 -S mount,umount2 -F auid>=1000 -F auid!=unset -k mounts
-a always,exit -F arch=b64 -S execve -C euid!=uid -F auid!=unset -k user_emulation
-a always,exit -F arch=b32 -S execve -C euid!=uid -F auid!=unset -k user_emulation
-a always,exit -F path=/usr/bin/sudo -F perm=x -F auid>=1000 -F auid!=unset -k privileged
"""
LAST = "-b 8192\n-f 1\n-e 1\n"
FOLDER = "/etc/audit/rules.d"
MOUNTS = "-a always,exit -S mount,umount2 -F auid>=1000 -F auid!=unset"


def recorded(listed: str = LISTED, machine: str = "x86_64", **files: str) -> RecordedHost:
    content = {"audit.rules": STOCK, "50-rampart.rules": OURS, "zz-rampart.rules": LAST} | files
    return RecordedHost(
        files={
            **{f"{FOLDER}/{name}": text for name, text in content.items()},
            "/usr/bin/sudo": "",
            "/proc/self/mountinfo": "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n",
        },
        stats={"/usr/bin/sudo": FileStat(mode=stat.S_IFREG | 0o4755, uid=0, gid=0)},
        commands={"auditctl -s": STATUS, "auditctl -l": listed, "uname -m": machine + "\n"},
    )


def missing(host: RecordedHost, *rules: str) -> list[str]:
    found = audit_coverage(host, {"rules": list(rules)})["missing"]
    assert isinstance(found, list)
    return found


def test_what_is_loaded_is_covered_however_it_is_written() -> None:
    assert missing(recorded(), MOUNTS, "-w /etc/passwd -p wa") == []
    assert missing(recorded(), "-a always,exit -S execve -C euid!=uid -F auid!=unset") == []


def test_what_lies_in_a_watched_folder_is_covered_and_the_folder_is_not_by_what_lies_in_it() -> None:
    assert missing(recorded(), "-w /etc/ssh/sshd_config -p w") == []
    assert missing(recorded(), "-w /etc -p wa") == ["-w /etc -p wa"]
    assert missing(recorded(), "-w /etc/ssh_other -p wa") == ["-w /etc/ssh_other -p wa"]


def test_a_narrower_rule_is_not_enough() -> None:
    assert missing(recorded(), "-a always,exit -S mount") == ["b64 mount", "b32 mount"]
    assert missing(recorded(), "-w /etc/passwd -p rwa") == ["-w /etc/passwd -p rwa"]
    only_64 = "".join(line for line in LISTED.splitlines(True) if "b32" not in line)
    assert missing(recorded(only_64), MOUNTS) == ["b32 mount auid!=-1 auid>=1000", "b32 umount2 auid!=-1 auid>=1000"]


def test_a_rule_that_never_records_hides_what_comes_after_it() -> None:
    silent = "-a never,exit -F arch=b64 -S mount\n"
    assert missing(recorded(silent + LISTED), MOUNTS) == ["b64 mount auid!=-1 auid>=1000"]
    assert missing(recorded(LISTED + silent), MOUNTS) == []
    one_program = "-a never,exit -F arch=b64 -S mount -F exe=/usr/bin/fusermount\n"
    assert missing(recorded(one_program + LISTED), MOUNTS) == []


def test_calls_that_an_architecture_never_had_are_not_missing() -> None:
    rule = "-a always,exit -S open,openat -F exit=-EACCES"
    loaded = "-a always,exit -F arch=b64 -S openat -F exit=-EACCES -F key=access\n"
    assert missing(recorded(loaded, machine="aarch64"), rule) == []
    assert "b64 open exit=-EACCES" in missing(recorded(loaded), rule)


def test_the_next_boot_is_measured_from_the_files_and_not_from_the_kernel() -> None:
    empty = recorded("No rules\n")
    assert audit_coverage_at_boot(empty, {"rules": [MOUNTS]})["missing"] == []
    assert len(missing(empty, MOUNTS)) == 4
    gone = recorded(**{"50-rampart.rules": ""})
    assert len(audit_coverage_at_boot(gone, {"rules": [MOUNTS]})["missing"]) == 4


def test_of_settings_the_last_file_holds_and_names_with_letters_come_after_numbers() -> None:
    before = recorded(**{"99-site.rules": "-b 64\n-e 2\n", "zz-rampart.rules": ""})
    assert audit_rules_at_boot(before, {})["backlog_limit"] == 8192
    assert audit_rules_at_boot(before, {})["enabled"] == 2
    after = recorded(**{"zzz.rules": "-b 64\n-e 0\n"})
    assert (audit_rules_at_boot(after, {})["backlog_limit"], audit_rules_at_boot(after, {})["enabled"]) == (64, 0)


def test_kernel_and_files_agree_or_the_difference_is_named() -> None:
    assert audit_rules_drift(recorded(), {}) == {"only_running": [], "only_at_boot": [], "settings": []}
    drifted = audit_rules_drift(recorded("-w /etc/new -p wa -k x\n", **{"zz-rampart.rules": "-f 2\n"}), {})
    assert drifted["only_running"] == ["-a always,exit -F key=x -F path=/etc/new -F perm=wa"]
    assert len(drifted["only_at_boot"]) == 7
    assert drifted["settings"] == ["failure"]


@pytest.mark.parametrize(
    "rule", ["-a never,task", "-a always,exclude -F msgtype=PATH", "-a never,exit", "-a never,exit -F arch=b64 -S all"]
)
def test_what_silences_everything_is_named(rule: str) -> None:
    assert len(audit_rules(recorded(LISTED + rule + "\n"), {})["silencers"]) == 1
    assert audit_rules(recorded(), {})["silencers"] == []


def test_set_id_programs_that_no_rule_names_are_found() -> None:
    host = recorded()
    assert audit_privileged(host, {}) == {"commands": 1, "unrecorded": [], "unrecorded_at_boot": []}
    bare = recorded("No rules\n")
    assert audit_privileged(bare, {})["unrecorded"] == ["/usr/bin/sudo"]


def test_a_kernel_that_does_not_answer_is_never_a_pass() -> None:
    refused = RecordedHost(
        commands={"auditctl -l": (1, "", "Operation not permitted"), "uname -m": "x86_64", "auditctl -s": STATUS}
    )
    with pytest.raises(ProbeError, match="not permitted"):
        audit_coverage(refused, {"rules": [MOUNTS]})
    with pytest.raises(Absent):
        audit_coverage(RecordedHost(commands={"uname -m": "x86_64"}), {"rules": [MOUNTS]})
    with pytest.raises(Absent):
        audit_coverage_at_boot(RecordedHost(commands={"uname -m": "x86_64"}), {"rules": [MOUNTS]})
    with pytest.raises(ProbeError):
        audit_coverage(recorded("-q garbage\n"), {"rules": [MOUNTS]})


CONF = """\
# c
log_file = /srv/audit/audit.log
log_group = adm
MAX_LOG_FILE = 64
disk_full_action = HALT
space_left = 10%
"""
RELOAD = '{"__REALTIME_TIMESTAMP":"5000000000","MESSAGE":"config change requested by pid=1 auid=0 subj=unconfined"}\n'
JOURNAL = "journalctl --quiet --boot --output=json --lines=200 _COMM=auditd"


def daemon(mtime: float, said: str = "", conf: str = CONF, pid: str = "412", **commands: Any) -> RecordedHost:
    fields = " ".join(["S", *["0"] * 18, "10000", "0"])
    return RecordedHost(
        files={
            "/etc/audit/auditd.conf": conf,
            "/proc/412/stat": f"412 (au ditd) {fields}",
            "/proc/stat": "cpu 1\nbtime 3000\n",
            "/srv/audit/audit.log": "",
            "/usr/sbin/auditctl": "",
            "/etc/audit/rules.d/a.rules": "",
        },
        stats={
            "/etc/audit/auditd.conf": FileStat(mode=stat.S_IFREG | 0o640, uid=0, gid=0, mtime=mtime),
            "/srv/audit/audit.log": FileStat(mode=stat.S_IFREG | 0o600, uid=0, gid=4),
        },
        groups={0: "root", 4: "adm"},
        commands={"systemctl show --property=MainPID --value auditd.service": pid + "\n", JOURNAL: said} | commands,
    )


@pytest.mark.parametrize(
    ("mtime", "said", "current"), [(3099, "", True), (4000, "", False), (4000, RELOAD, True), (6000, RELOAD, False)]
)
def test_settings_count_when_the_daemon_has_read_them(mtime: float, said: str, current: bool) -> None:
    assert auditd_settings(daemon(mtime, said), {})["current"] is current


def test_settings_have_the_daemons_own_defaults() -> None:
    value = auditd_settings(daemon(0), {})
    assert value["stops_host"] == ["disk_full_action"]
    wanted = {"max_log_file": 64, "space_left": "10%", "disk_full_action": "halt", "space_left_action": "ignore"}
    assert {name: value["settings"][name] for name in wanted} == wanted


def test_a_daemon_that_does_not_run_has_read_nothing() -> None:
    assert auditd_settings(daemon(0, pid="0"), {})["current"] is False
    with pytest.raises(ProbeError, match="JSON"):
        auditd_settings(daemon(0, said="garbage"), {})
    with pytest.raises(Absent):
        auditd_settings(RecordedHost(), {})


def test_the_records_are_where_the_settings_say() -> None:
    value = audit_files(daemon(0), {})
    assert [(log["path"], log["mode"], log["group"]) for log in value["logs"]] == [
        ("/srv/audit/audit.log", "0600", "adm")
    ]
    assert [tool["path"] for tool in value["tools"]] == ["/usr/sbin/auditctl"]
    assert value["directory"]["path"] == "/srv/audit"
    assert {one["path"] for one in value["config"]} == {"/etc/audit/auditd.conf", "/etc/audit/rules.d/a.rules"}
