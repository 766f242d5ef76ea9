# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Changes that would shut the operator out: refused when that shows beforehand, else taken back by the host itself."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rampart.lab import Lab

pytestmark = pytest.mark.lab

CHECKOUT = Path(__file__).resolve().parents[2]
HOST = "host1"
PLAY = """
- hosts: rampart
  gather_facts: false
  become: true
  tasks:
    - ansible.builtin.import_tasks: {checkout}/playbooks/tasks/contact.yml
    - ansible.builtin.include_role: {{name: rampart.fleet.{role}}}
"""
# A table that knows the running connection and lets no new one in.
SHUT = """table inet rampart {
    chain input { type filter hook input priority filter; policy drop; ct state established accept; }
}"""


class Host:
    """The one host of a lab, seen by Ansible and by a fresh SSH connection of its own."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder

    def ansible(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Ansible with the inventory of the lab."""
        return subprocess.run(
            [str(Path(sys.executable).with_name(argv[0])), "-i", str(self.lab.inventory_path), *argv[1:]],
            cwd=CHECKOUT, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip

    def role(self, role: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        """Apply a role."""
        play = self.folder / f"{role}.yml"
        play.write_text(PLAY.format(checkout=CHECKOUT, role=role))
        return self.ansible("ansible-playbook", str(play), "-e", json.dumps({"rampart_roles": [role], **variables}))

    def module(self, module: str, **arguments: Any) -> subprocess.CompletedProcess[str]:
        """Run a module as root."""
        return self.ansible("ansible", "all", "--become", "-m", f"rampart.fleet.{module}", "-a", json.dumps(arguments))

    def answers(self) -> bool:
        """Say whether a new SSH connection is let in; one that is shared would be an old one."""
        options = ["-o", "ControlMaster=no", "-o", "ControlPath=none", "-o", "ConnectTimeout=3"]
        argv = ["ssh", "-F", str(self.lab.folder.path / "ssh_config"), *options, HOST, "true"]
        return subprocess.run(argv, capture_output=True, timeout=30, check=False).returncode == 0

    def shell(self, script: str) -> str:
        """Run a script as root and return what it said."""
        done = self.lab.exec(HOST, ["sh", "-euc", script])
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def back_within(self, seconds: float) -> bool:
        """Wait until a new connection is let in."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.answers():
                return True
            time.sleep(0.5)
        return False


@pytest.fixture(scope="module")
def host(make_lab: Callable[[str], Lab], tmp_path_factory: pytest.TempPathFactory) -> Host:
    """A host that both roles have hardened."""
    lab = make_lab("lockout")
    lab.up("single")
    made = Host(lab, tmp_path_factory.mktemp("plays"))
    for role in ("ssh_server", "firewall"):
        done = made.role(role)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return made


def table(host: Host) -> str:
    """The filter in force, without counters."""
    return host.shell("nft -s list ruleset")


def test_a_filter_that_drops_the_operator_is_refused(host: Host) -> None:
    before = table(host)
    done = host.role("firewall", firewall_management_sources=["203.0.113.0/24"])
    assert done.returncode != 0
    assert f"drops new SSH connections from {host.lab.plan.controller} to port 22" in done.stdout
    assert table(host) == before


def test_a_filter_that_shuts_the_operator_out_is_taken_back(host: Host) -> None:
    before = table(host)
    settings = {"name": "rampart", "ruleset": SHUT, "protect_ssh": False, "rollback_seconds": 12}
    done = host.module("nft_table", **settings)
    assert "armed: true" in done.stdout, done.stdout
    assert not host.answers(), "the filter was to let no new connection in"
    assert host.back_within(40)
    assert table(host) == before
    late = host.module("deadman", name="nft-inet-rampart")
    assert late.returncode != 0
    assert "was taken back" in late.stdout


def test_an_sshd_that_moves_away_comes_back(host: Host) -> None:
    before = host.shell("cat /etc/ssh/sshd_config.d/00-rampart.conf")
    done = host.role("ssh_server", ssh_server_settings={"Port": 2222}, ssh_server_rollback_seconds=20)
    assert done.returncode != 0
    assert "so the host took it back" in done.stdout
    assert host.answers()
    assert host.shell("cat /etc/ssh/sshd_config.d/00-rampart.conf") == before
    assert "port 22" in host.shell("sshd -T").splitlines()


def test_groups_that_the_operator_is_not_in_are_refused(host: Host) -> None:
    done = host.role("ssh_server", ssh_server_allow_groups=["nobody-is-here"])
    assert done.returncode != 0
    assert "AllowGroups would be nobody-is-here" in done.stdout
    assert "allowgroups" not in host.shell("sshd -T")


def test_a_match_block_that_defeats_the_role_is_named(host: Host) -> None:
    rival = "/etc/ssh/sshd_config.d/50-site.conf"
    host.shell(f"printf 'Match User root\\n  PermitRootLogin yes\\n' > {rival}")
    try:
        done = host.role("ssh_server")
    finally:
        host.shell(f"rm {rival}")
    assert done.returncode != 0
    message = " ".join(done.stdout.split())
    assert "PermitRootLogin would be 'yes'" in message
    assert f"{rival}, line 2" in message


def test_a_main_file_without_the_include_is_named(host: Host) -> None:
    host.shell("cp -p /etc/ssh/sshd_config /root/kept && sed -i '/^Include/d' /etc/ssh/sshd_config")
    try:
        done = host.role("ssh_server")
    finally:
        host.shell("cp -p /root/kept /etc/ssh/sshd_config")
    assert done.returncode != 0
    assert "/etc/ssh/sshd_config does not include /etc/ssh/sshd_config.d/00-rampart.conf" in " ".join(
        done.stdout.split()
    )


# Each lets in whom it should by the rules of PAM, or is refused before it is live.
PROFILE = "Name: Site\nDefault: yes\nPriority: 2000\n{kind}-Type: {block}\n{kind}:\n\t{line}\n"
PATH = "/usr/share/pam-configs/site-test"


def profile(kind: str, line: str, block: str = "Primary") -> dict[str, str]:
    return {"path": PATH, "content": PROFILE.format(kind=kind, line=line, block=block)}


def login_state(host: Host) -> str:
    """Everything that decides who gets in."""
    return host.shell(
        "cat /etc/pam.d/* /var/lib/pam/* /etc/sudoers.d/*; ls /usr/share/pam-configs /etc/sudoers.d /etc/pam.d;"
        "stat -c %a%u /etc/sudoers.d/* /etc/pam.d/*"
    )


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (profile("Auth", "requisite\tpam_deny.so"), "the auth stack of sshd would refuse everybody"),
        (profile("Auth", "sufficient\tpam_permit.so"), "the auth stack of sshd would let in with a wrong password"),
        (
            profile("Auth", "[success=end default=ignore]\tpam_gone.so"),
            "pam_gone.so, which common-auth names, does not exist",
        ),
        (
            profile("Account", "requisite\tpam_succeed_if.so user = nobody-is-here"),
            "libpam would refuse 'ops' for sshd",
        ),
        ({"path": "/etc/sudoers.d/site-test", "content": "ops ALL=(\n", "validate": "visudo -cqf %s"}, "is not valid"),
    ],
    ids=["nobody", "everybody", "a module that is not there", "not the operator", "sudoers"],
)
def test_a_login_that_is_not_fit_is_refused_before_it_is_live(host: Host, file: dict[str, str], said: str) -> None:
    before = login_state(host)
    for check in ([], ["--check"]):
        done = host.ansible(
            "ansible", "all", "--become", "-m", "rampart.fleet.login_files", "-a", json.dumps({"files": [file]}), *check
        )
        assert done.returncode != 0
        assert said in " ".join(done.stdout.split())
        assert login_state(host) == before
    assert host.answers()


@pytest.mark.parametrize(
    "file",
    [
        profile("Session", "required\tpam_exec.so /bin/false", "Additional"),
        {
            "path": "/etc/sudoers.d/zz-site-test",
            "content": "ops ALL=(ALL) !ALL\n",
            "mode": "0440",
            "validate": "visudo -cqf %s",
        },
    ],
    ids=["session", "sudoers"],
)
def test_a_login_that_only_fails_when_it_is_live_is_taken_back_at_once(host: Host, file: dict[str, str]) -> None:
    before = login_state(host)
    done = host.module("login_files", files=[file])
    assert done.returncode != 0
    assert "everything is as it was: sudo no longer lets 'ops' become root without a password" in " ".join(
        done.stdout.split()
    )
    assert login_state(host) == before
    assert host.shell("id -u").strip() == "0"


def test_a_login_that_nobody_confirms_is_taken_back(host: Host) -> None:
    before = login_state(host)
    done = host.module(
        "login_files", files=[profile("Session", "optional\tpam_echo.so", "Additional")], rollback_seconds=6
    )
    assert "armed: true" in done.stdout, done.stdout
    assert login_state(host) != before
    time.sleep(9)
    assert login_state(host) == before
    late = host.module("deadman", name="login")
    assert "was taken back" in late.stdout
