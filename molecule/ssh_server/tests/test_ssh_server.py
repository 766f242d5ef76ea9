# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The ssh server as a client meets it: what it offers, whom it refuses."""

from __future__ import annotations

import pytest
from testinfra.host import Host

CLIENT = "ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"


def attempt(host: Host, options: str, user: str = "ops") -> str:
    """What a client on the host is told; a login must never succeed, because it has no key."""
    # testinfra takes exit code 255 of any command for a broken connection of its own.
    answer = host.run(f"{CLIENT} {options} {user}@127.0.0.1 true; echo status=$?")
    assert "status=255" in answer.stdout, f"the client got in: {options}"
    return str(answer.stderr)


@pytest.mark.parametrize("user", ["ops", "root", "nobody"])
def test_only_keys_are_offered(host: Host, user: str) -> None:
    assert "Permission denied (publickey)" in attempt(host, "-o PreferredAuthentications=none", user)


@pytest.mark.parametrize("kex", ["diffie-hellman-group14-sha1", "ecdh-sha2-nistp256"])
def test_other_key_exchanges_are_refused(host: Host, kex: str) -> None:
    assert "no matching key exchange method" in attempt(host, f"-o KexAlgorithms={kex}")


@pytest.mark.parametrize("cipher", ["aes128-cbc", "aes128-ctr", "3des-cbc"])
def test_other_ciphers_are_refused(host: Host, cipher: str) -> None:
    assert "no matching cipher" in attempt(host, f"-o Ciphers={cipher}")


def test_other_macs_are_refused(host: Host) -> None:
    # An authenticated cipher needs no MAC: only one without can show which are offered, and none of those is left.
    assert "no matching" in attempt(host, "-o Ciphers=aes256-ctr -o MACs=hmac-sha1")


def test_root_has_no_way_in_even_with_a_key(host: Host) -> None:
    host.check_output("rm -f /run/molecule-key /run/molecule-key.pub")
    host.check_output("ssh-keygen -q -t ed25519 -N '' -f /run/molecule-key")
    host.check_output("mkdir -p -m 0700 /root/.ssh")
    host.check_output("cp /run/molecule-key.pub /root/.ssh/authorized_keys && chmod 0600 /root/.ssh/authorized_keys")
    try:
        assert "Permission denied" in attempt(host, "-i /run/molecule-key", "root")
    finally:
        host.check_output("rm -f /root/.ssh/authorized_keys /run/molecule-key /run/molecule-key.pub")


def test_an_agent_and_a_tunnel_are_not_forwarded_for_anyone(host: Host) -> None:
    for user in ("root", "ops"):
        effective = host.check_output(f"sshd -T -C user={user},host=x,addr=198.18.0.1").lower().splitlines()
        for line in ("allowagentforwarding no", "allowtcpforwarding no", "x11forwarding no", "permittunnel no"):
            assert line in effective, user


def test_every_line_of_the_distributions_own_file_is_there(host: Host) -> None:
    theirs = 'sed "/^# BEGIN Rampart/,/^# END Rampart/d" /etc/ssh/sshd_config'
    host.check_output(f"sh -c '{theirs} | cmp - /usr/share/openssh/sshd_config'")
    assert host.service("ssh").is_running


def test_a_scanner_that_reads_the_main_file_alone_reads_what_is_in_force(host: Host) -> None:
    host.check_output("sh -c 'grep -v ^Include /etc/ssh/sshd_config > /run/molecule-sshd'")
    try:
        alone = host.check_output("sshd -T -f /run/molecule-sshd -C user=root,host=x,addr=198.18.0.1").splitlines()
    finally:
        host.check_output("rm /run/molecule-sshd")
    effective = host.check_output("sshd -T -C user=root,host=x,addr=198.18.0.1").splitlines()
    # What adds up, and that of which the last value counts, stands in the drop-in alone.
    assert {line.split()[0] for line in set(effective) - set(alone)} <= {"denyusers", "maxstartups"}


def test_who_connects_is_warned_by_what_the_console_says_too(host: Host) -> None:
    assert "authorised use only" in attempt(host, "")
    assert host.file("/etc/issue.net").mode == 0o644
