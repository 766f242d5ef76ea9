# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Accounts, passwords and sudo as an ordinary user and an operator meet them."""

from __future__ import annotations

import hashlib
import os
import subprocess

import pytest
from testinfra.host import Host

from rampart.lab.state import Paths

USER = "molecule"


@pytest.fixture(scope="module", autouse=True)
def user(host: Host) -> None:
    """An ordinary account, made after the host was hardened."""
    if not host.user(USER).exists:
        host.check_output(f"useradd --create-home --shell /bin/bash {USER}")


def as_user(host: Host, script: str) -> tuple[int, str]:
    """Run a script in a login shell of the ordinary account: exit code and all output."""
    done = host.run(f"runuser --login {USER} --command %s", f"{{ {script}; }} 2>&1; echo status=$?")
    output, _, status = str(done.stdout).rpartition("status=")
    return int(status), output.strip()


def test_new_files_of_who_logs_in_are_not_for_others() -> None:
    checkout = hashlib.sha256(os.environ["MOLECULE_PROJECT_DIRECTORY"].encode()).hexdigest()
    lab = f"mol-{os.environ['MOLECULE_SCENARIO_NAME'].replace('_', '-')}-{checkout[:6]}"
    config = Paths.from_environment().lab(lab).ssh_config
    script = "rm -f molecule-file && touch molecule-file && stat --format %a molecule-file"
    command = ["ssh", "-F", str(config), "host1", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "640"


def test_a_weak_password_is_refused(host: Host) -> None:
    done = host.run(f"sh -c 'printf \"%s\\n%s\\n\" summer summer | passwd {USER}'")
    assert done.rc != 0
    assert "password" in done.stderr.lower()
    assert host.check_output(f"passwd --status {USER}").split()[1] != "P"


def test_su_is_for_administrators(host: Host) -> None:
    status, output = as_user(host, "/usr/bin/su -c true root")
    assert (status != 0, "Permission denied" in output) == (True, True)


def test_administrators_still_become_root(host: Host) -> None:
    assert host.check_output("runuser -u ops -- sudo --non-interactive id -u") == "0"
    assert host.check_output("runuser -u ops -- sudo --non-interactive --login id -u") == "0"


def as_ops(host: Host, script: str) -> str:
    return str(host.run("runuser -u ops -- sh -c %s", f"{script} 2>&1").stdout)


def test_an_old_password_does_not_come_back(host: Host) -> None:
    for password in ("Kr4ftwerk!Donau-Sued", "Zw3ite#Strasse-Nord7"):
        host.check_output(f"echo '{USER}:{password}' | chpasswd")
    done = host.run(f"printf 'Kr4ftwerk!Donau-Sued\\nKr4ftwerk!Donau-Sued\\n' | passwd {USER}")
    assert done.rc != 0
    assert "already used" in done.stderr
    host.check_output(f"passwd --delete {USER} && passwd --lock {USER}")


def test_a_new_password_has_the_wanted_hash(host: Host) -> None:
    host.check_output(f"echo '{USER}:Dr1tter%Weg-Westen9' | chpasswd")
    assert host.user(USER).password.startswith("$y$j9T$")
    host.check_output(f"passwd --lock {USER}")


def test_wrong_passwords_lock_by_sudo_and_the_lock_ends_by_hand(host: Host) -> None:
    host.check_output(f"echo '{USER}:V1ertes&Haus-Osten3' | chpasswd; rm -f /run/faillock/{USER}")
    try:
        for _ in range(4):
            as_user(host, "echo wrong | sudo --stdin --reset-timestamp true")
        failures = host.check_output(f"faillock --user {USER}").splitlines()
        assert len([line for line in failures if line.endswith(" V")]) == 4
        assert host.run(f"runuser -u {USER} -- sh -c \"echo 'V1ertes&Haus-Osten3' | sudo --stdin true\"").rc != 0
    finally:
        host.check_output(f"faillock --user {USER} --reset; passwd --lock {USER}")


def test_idle_shells_end_and_nobody_changes_that(host: Host) -> None:
    assert as_user(host, "bash --login -c 'echo $TMOUT; TMOUT=0; echo not fixed'")[1].splitlines()[0] == "900"
    assert "not fixed" not in as_user(host, "bash --login -c 'TMOUT=0; echo not fixed'")[1]


def test_shells_without_pam_have_the_mask_and_a_shell_in_a_shell_keeps_its_users(host: Host) -> None:
    bare = f"setpriv --reuid={USER} --regid={USER} --clear-groups env -i PATH=/usr/bin:/bin HOME=/"
    for shell in ("sh -lc", "bash -lc", "bash -ic"):
        assert host.run(f"{bare} {shell} umask").stdout.strip() == "0027", shell
    assert host.run(f"{bare} SHLVL=1 sh -c 'umask 0002; bash -ic umask'").stdout.strip() == "0002"
    assert host.run("sh -c 'umask 0022; bash -lc umask; bash -ic umask'").stdout.split() == ["0022", "0022"]


def test_what_is_done_as_root_is_written_down(host: Host) -> None:
    as_ops(host, "sudo --non-interactive /usr/bin/printf molecule-was-here")
    assert "molecule-was-here" in host.file("/var/log/sudo.log").content_string.replace("\n    ", " ")
    assert host.file("/var/log/sudo.log").mode & 0o077 == 0


def test_services_have_neither_shell_nor_password(host: Host) -> None:
    people = {"root", "ops", USER, "sync"}
    for line in host.file("/etc/passwd").content_string.splitlines():
        name, shell = line.split(":")[0], line.split(":")[6]
        assert name in people or shell.endswith(("/nologin", "/false")), line


def test_the_operators_key_never_runs_out(host: Host) -> None:
    assert host.check_output("chage --list --iso8601 ops").splitlines()[1].split(":")[1].strip() == "never"


def test_no_change_of_logins_waits_to_be_taken_back(host: Host) -> None:
    assert not host.file("/run/rampart/rollback/login/armed").exists
