# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What only a kernel of its own shows: its settings, its modules, and what it records."""

from __future__ import annotations

import uuid

import pytest
from testinfra.host import Host


@pytest.mark.parametrize(
    ("key", "least"),
    [
        ("kernel.kptr_restrict", 1),
        ("kernel.dmesg_restrict", 1),
        ("kernel.randomize_va_space", 2),
        ("kernel.unprivileged_bpf_disabled", 1),
        ("fs.protected_symlinks", 1),
        ("fs.protected_hardlinks", 1),
        ("kernel.yama.ptrace_scope", 1),
        ("kernel.kexec_load_disabled", 1),
        ("kernel.panic", 1),
    ],
)
def test_the_kernel_gives_little_away(host: Host, key: str, least: int) -> None:
    assert host.sysctl(key) >= least


def test_an_ordinary_user_reads_no_kernel_log(host: Host) -> None:
    done = host.run("setpriv --reuid=nobody --regid=nogroup --clear-groups dmesg")
    assert done.rc != 0


def test_the_memory_of_a_crashed_service_goes_nowhere(host: Host) -> None:
    assert host.sysctl("kernel.core_pattern") == "|/bin/false"
    host.run("sh -c 'cd /var/tmp && ulimit -c unlimited && kill -SEGV $$'")
    assert host.run("ls /var/tmp/core*").rc != 0


def test_an_ordinary_user_is_not_root_in_a_namespace_of_its_own(host: Host) -> None:
    assert host.run("setpriv --reuid=nobody --regid=nogroup --clear-groups unshare --user true").rc != 0


def test_an_unsigned_module_is_refused(host: Host) -> None:
    # Without the signature that stands at its end the module is the same code from nobody.
    script = """
    path=$(modinfo --field filename dummy)
    size=$(($(stat --format %s "$path") - 28))
    head --bytes $size "$path" > /var/tmp/unsigned.ko
    insmod /var/tmp/unsigned.ko
    """
    assert host.run("modinfo dummy").rc == 0, "the kernel has no such module, so the next lines would prove nothing"
    done = host.run(script)
    assert done.rc != 0
    assert "key" in done.stderr.lower(), done.stderr
    assert "dummy" not in [line.split()[0] for line in host.check_output("cat /proc/modules").splitlines()]


@pytest.mark.parametrize("module", ["dccp", "sctp", "freevxfs", "udf", "ax25", "overlay"])
def test_a_blocked_module_cannot_be_loaded(host: Host, module: str) -> None:
    assert host.run(f"modinfo {module}").rc == 0, "the kernel has no such module, so the next line would prove nothing"
    host.run(f"modprobe {module}")
    assert module not in [line.split()[0] for line in host.check_output("cat /proc/modules").splitlines()]


def test_the_kernel_records_who_changes_accounts(host: Host) -> None:
    status = dict(line.split(maxsplit=1) for line in host.check_output("auditctl -s").splitlines() if " " in line)
    assert status["enabled"] in ("1", "2")
    assert int(status["pid"]) > 0
    name = f"m{uuid.uuid4().hex[:8]}"
    host.check_output(f"useradd --no-create-home {name}")
    try:
        found = host.run("sh -c 'sleep 2; ausearch --input-logs --key identity --start recent --interpret'")
        assert found.rc == 0, found.stderr
        assert "useradd" in found.stdout
    finally:
        host.check_output(f"userdel {name}")


def test_a_refusal_and_a_set_id_program_leave_a_record_of_who_it_was(host: Host) -> None:
    login = "systemd-run --quiet --wait --pipe --property=PAMName=login --uid=ops sh -c"
    host.run(f"{login} 'cat /etc/shadow; passwd --status'")
    for key, word in (("access", "/etc/shadow"), ("privileged", "passwd")):
        found = host.run(f"sh -c 'sleep 1; ausearch --input-logs --key {key} --start recent --interpret'")
        assert found.rc == 0, found.stderr
        assert word in found.stdout


def test_the_next_boot_loads_the_same_rules(host: Host) -> None:
    assert host.run("augenrules --check").stdout.strip().endswith("No change")


def test_a_journal_that_starts_again_leaves_the_audit_on(host: Host) -> None:
    host.check_output("systemctl restart systemd-journald.service")
    assert "enabled 1" in host.check_output("auditctl -s").splitlines()


def test_the_records_are_for_administrators(host: Host) -> None:
    assert host.file("/var/log/audit/audit.log").mode & 0o007 == 0
