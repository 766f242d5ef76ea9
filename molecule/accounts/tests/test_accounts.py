# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Accounts, passwords and sudo as an ordinary user and an operator meet them."""

from __future__ import annotations

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
    lab = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME'].replace('_', '-')}"
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
