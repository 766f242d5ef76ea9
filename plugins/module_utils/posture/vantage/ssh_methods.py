# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""How an SSH server lets an account prove itself, asked by a client that proves nothing."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.target import target_of

# No secret travels over these connections, and the exchange that withstands a quantum computer takes the client 70 ms
# of a processor; a server that insists on it still gets it.
QUICK_EXCHANGE = ("-o", "KexAlgorithms=^curve25519-sha256")
# Neither the configuration nor the keys of whoever runs this, and no trace left in its files.
QUIET = (
    "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none",
    "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=/dev/null",
    "-o", "ConnectTimeout=5", "-o", "ConnectionAttempts=1", "-o", "LogLevel=ERROR", *QUICK_EXCHANGE,
)  # fmt: skip
_DENIED = re.compile(r"Permission denied \(([^)]*)\)")


@probe("ssh_methods", required=("user",), source="ssh -o PreferredAuthentications=none {user}@{target}")
def ssh_methods(host: Host, params: Params) -> dict[str, Any]:
    """Return `{methods: [name], none, password, keyboard_interactive}` that the server offers to `user`; the last three
    are `yes` or `no`, as sshd writes them.

    `none: yes` means that the account was let in without any proof. Absent when this host has no ssh.
    """
    target = target_of(params)
    if host.which("ssh") is None:
        raise Absent("the host that looks has no ssh client")
    where = ["-p", str(target.ssh_port), "-l", str(params["user"]), "--", target.address, "true"]
    answer = host.run(["ssh", *QUIET, "-o", "PreferredAuthentications=none", *where], timeout=7.0)
    methods = offered(answer.rc, answer.stderr)
    return {
        "methods": methods,
        "none": _word(answer.rc == 0),
        "password": _word("password" in methods),
        "keyboard_interactive": _word("keyboard-interactive" in methods),
    }


def offered(rc: int, stderr: str) -> list[str]:
    """Return the methods of a refusal; none when the client was let in. Raises ProbeError when it was neither."""
    if rc == 0:
        return []
    found = _DENIED.search(stderr)
    if found is None:
        tail = " ".join(stderr.split())[-300:] or "no reason given"
        raise ProbeError(f"ssh ended with status {rc} and was neither let in nor refused: {tail}")
    return found.group(1).split(",")


def refused_or_let_in(rc: int, stderr: str) -> dict[str, Any]:
    """Return `{accepted: yes|no, methods}` of an attempt with a credential. Raises ProbeError."""
    return {"accepted": _word(rc == 0), "methods": offered(rc, stderr)}


def _word(truth: bool) -> str:
    return "yes" if truth else "no"
