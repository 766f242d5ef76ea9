# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The probes of the audit system, the journal and log sockets, on recorded output."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError, ToolMissing
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import CommandResult
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.audit_rules import audit_rules
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.journald import journald, parse_size
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.logging import logging

HEADER = """\
File path: /var/log/journal/0a1b/system.journal
File ID: 6a
State: ONLINE
Compatible flags: {sealed}
Incompatible flags: COMPRESSED-ZSTD KEYED-HASH
Disk usage: 8.0M

File path: /var/log/journal/0a1b/system@1.journal
State: ARCHIVED
Compatible flags: SEALED
Incompatible flags: COMPRESSED-ZSTD KEYED-HASH
Disk usage: 16.0M
"""
USAGE = {
    "JOURNAL_PATH": "/var/log/journal/0a1b",
    "MAX_USE": "2147483648",
    "LIMIT": "1048576",
    "DISK_KEEP_FREE": "1073741824",
}
SOCKETS = """\
Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port Process
tcp ESTAB 0 0 198.18.0.2:41000 198.18.0.9:514 users:(("rsyslogd",pid=9,fd=5))
tcp ESTAB 0 0 198.18.0.2:41002 198.18.0.9:443 users:(("curl",pid=10,fd=5))
udp UNCONN 0 0 0.0.0.0:514 0.0.0.0:* users:(("rsyslogd",pid=9,fd=6))
tcp LISTEN 0 128 127.0.0.1:6514 0.0.0.0:* users:(("rsyslogd",pid=9,fd=7))
tcp LISTEN 0 128 [::]:22 [::]:* users:(("sshd",pid=11,fd=3))
"""


class Recorded:
    """As much of a host as these probes ask: commands by name and first option, folders, links."""

    def __init__(self, commands: Mapping[str, str], links: Mapping[str, str] | None = None, fss: bool = False) -> None:
        self.commands = commands
        self.links = links or {}
        self.fss = fss

    def which(self, tool: str) -> str | None:
        return f"/usr/sbin/{tool}" if any(name.split()[0] == tool for name in self.commands) else None

    def exists(self, path: str) -> bool:
        return False

    def run(self, argv: Sequence[str], timeout: float = 5.0, stdin: str = "") -> CommandResult:
        for name, output in self.commands.items():
            if " ".join(argv).startswith(name):
                failed = output.startswith("rc=1 ")
                return CommandResult(tuple(argv), int(failed), "" if failed else output, output if failed else "")
        raise ToolMissing(f"{argv[0]} is not installed")

    def listdir(self, path: str) -> list[str]:
        return sorted(name.rpartition("/")[2] for name in self.links if name.startswith(path))

    def readlink(self, path: str) -> str:
        return self.links[path]

    def glob(self, pattern: str) -> list[str]:
        return ["/var/log/journal/0a1b/fss"] if self.fss else []


def journal_host(folder: str = "/var/log/journal", sealed: str = "", pid: str = "77") -> Any:
    commands = {
        "systemctl show": f"{pid}\n",
        "journalctl --header": HEADER.format(sealed=sealed),
        "journalctl --quiet": json.dumps({"JOURNAL_PATH": "/run/log/journal/0a1b", "LIMIT": "1"})
        + "\n"
        + json.dumps(USAGE),
    }
    return Recorded(commands, {"/proc/77/fd/9": f"{folder}/0a1b/system.journal", "/proc/77/fd/3": "socket:[1]"}, True)


def test_a_journal_on_disk_with_its_limits() -> None:
    value = journald(journal_host(sealed="SEALED"), {})
    assert value["persistent"] is True
    assert value["sealed"] is True
    assert value["compressed"] is True
    assert value["sealing_key"] is True
    assert value["limits"]["max_use"] == 2147483648
    assert value["limits"]["limit"] == 1048576
    assert value["limits"]["keep_free"] == 1073741824
    assert value["disk_use"] == 24 * 1024 * 1024


def test_a_journal_in_memory_is_not_persistent_whatever_files_lie_on_disk() -> None:
    assert journald(journal_host(folder="/run/log/journal"), {})["persistent"] is False


def test_only_the_file_that_is_written_says_whether_the_journal_is_sealed() -> None:
    assert journald(journal_host(), {})["sealed"] is False


def test_a_host_without_journald_has_no_journal() -> None:
    with pytest.raises(Absent, match="systemd-journald"):
        journald(journal_host(pid="0"), {})


@pytest.mark.parametrize(("text", "size"), [("8.0M", 8388608), ("512.0K", 524288), ("1.5G", 1610612736), ("n/a", 0)])
def test_sizes_are_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_log_sockets_are_told_from_others() -> None:
    value = logging(Recorded({"ss": SOCKETS}), {})
    assert value["forwarders"] == [{"process": "rsyslogd", "proto": "tcp", "address": "198.18.0.9", "port": 514}]
    assert value["receivers"] == [{"process": "rsyslogd", "proto": "udp", "address": "0.0.0.0", "port": 514}]


def test_the_kernel_s_rules_with_their_status() -> None:
    listed = "-w /etc/passwd -p wa -k identity\n-a always,exit -F arch=b64 -S mount -F key=mounts\n"
    status = "enabled 1\nfailure 1\npid 4\nbacklog_limit 8192\nlost 3\n"
    value = audit_rules(Recorded({"auditctl -s": status, "auditctl -l": listed}), {})
    assert value["watches"] == ["/etc/passwd wa"]
    assert value["syscalls"] == ["mount"]
    assert value["keys"] == ["identity", "mounts"]
    assert (value["enabled"], value["failure"], value["backlog_limit"], value["lost"]) == (1, 1, 8192, 3)


def test_a_kernel_that_does_not_answer_is_an_error_and_no_empty_list() -> None:
    with pytest.raises(ProbeError, match="Operation not permitted"):
        audit_rules(Recorded({"auditctl -s": "rc=1 Error - Operation not permitted"}), {})


def test_a_host_without_auditctl_has_no_rules() -> None:
    with pytest.raises(Absent, match="not installed"):
        audit_rules(Recorded({}), {})
