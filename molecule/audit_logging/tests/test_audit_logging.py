# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What is logged is kept, and readable for administrators only."""

from __future__ import annotations

import uuid

from testinfra.host import Host


def test_a_record_survives_a_restart_of_the_journal_and_is_on_disk(host: Host) -> None:
    mark = f"molecule-{uuid.uuid4()}"
    host.check_output(f"logger {mark}")
    host.check_output("journalctl --sync")
    host.check_output("systemctl restart systemd-journald")
    assert mark in host.check_output(f"journalctl --directory=/var/log/journal --grep={mark} --output=cat")


def test_nobody_else_reads_the_journal(host: Host) -> None:
    machine = host.check_output("cat /etc/machine-id")
    assert host.file(f"/var/log/journal/{machine}").mode & 0o007 in (0, 0o005)
    nobody = "setpriv --reuid=nobody --regid=nogroup --clear-groups"
    denied = host.run(f"{nobody} cat /var/log/journal/{machine}/system.journal")
    assert denied.rc != 0
    assert "Permission denied" in denied.stderr


def test_failed_logins_are_for_administrators(host: Host) -> None:
    for path in ("/var/log/btmp", "/var/log/auth.log", "/var/log/syslog"):
        if host.file(path).exists:
            assert host.file(path).mode & 0o007 == 0, path


def test_a_container_leaves_the_kernels_audit_system_alone(host: Host) -> None:
    assert host.check_output("systemd-detect-virt --container") == "systemd-nspawn"
    assert not host.package("auditd").is_installed


def test_no_log_is_for_everybody_but_those_of_packages_and_logins(host: Host) -> None:
    found = host.check_output("find /var/log -type f -perm /o+r").split()
    allowed = ("/var/log/apt/", "/var/log/dpkg.log", "/var/log/alternatives.log", "/var/log/wtmp", "/var/log/lastlog")
    assert [path for path in found if not path.startswith((*allowed, "/var/log/faillog", "/var/log/README"))] == []


def test_the_journal_takes_many_messages_of_one_service_and_not_all(host: Host) -> None:
    merged = host.check_output("systemd-analyze cat-config systemd/journald.conf")
    assert "RateLimitBurst=10000" in merged.splitlines()
    assert "ForwardToSyslog=no" in merged.splitlines()


def test_the_journals_main_file_says_the_same_and_keeps_its_own_lines(host: Host) -> None:
    text = host.file("/etc/systemd/journald.conf").content_string
    assert "ForwardToSyslog=no" in text.splitlines()
    assert text.startswith("#  This file is part of systemd.")


def test_the_journal_is_whole(host: Host) -> None:
    host.check_output("journalctl --rotate")
    each = "for file in /var/log/journal/*/*@*.journal; do journalctl --verify --file=$file || exit 1; done"
    done = host.run(f"sh -c '{each}'")
    assert done.rc == 0, done.stderr
