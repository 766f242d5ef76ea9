# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Who looks at a host from outside, what for, and the login that is tried with the operator's own key."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import Request
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import Observation
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage import OF_CONTROLLER
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.ssh_methods import (
    QUICK_EXCHANGE,
    refused_or_let_in,
)

_POINTS = 2
_ATTEMPT_S = 6.0
# A host in quarantine can reach nobody, and nobody should believe it.
_UNFIT_MODES = ("quarantine",)


@dataclass(frozen=True)
class SshWay:
    """How Ansible's ssh connection reaches the target: the options of the plugin, templated."""

    executable: str
    address: str
    port: int | None
    key: str | None
    arguments: tuple[str, ...]


def points(name: str, play: Sequence[str], fleet: Sequence[str], modes: Mapping[str, Any]) -> list[str]:
    """Return the hosts that may look at the host `name`, at most two: those that follow it in the play, then in the
    fleet.

    `modes` maps a host to its workload mode, as far as it has one.
    """
    found: list[str] = []
    for hosts in (play, fleet):
        start = list(hosts).index(name) + 1 if name in hosts else 0
        for other in [*hosts[start:], *hosts[:start]]:
            if len(found) == _POINTS:
                return found
            if other != name and other not in found and modes.get(other) not in _UNFIT_MODES:
                found.append(other)
    return found


def target_of_host(variables: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the target {address, ssh_port} of a host, by its variables."""
    address = variables.get("posture_vantage_address") or variables.get("ansible_host") or name
    port = variables.get("ansible_port") or variables.get("ansible_ssh_port") or 22
    return {"address": str(address), "ssh_port": int(port)}


def split(requests: Sequence[Request]) -> tuple[list[Request], list[Request]]:
    """Return what a peer measures, and what only the controller can."""
    own = [request for request in requests if request.kind in OF_CONTROLLER]
    return [request for request in requests if request not in own], own


def unseen(requests: Sequence[Request], reason: str) -> dict[str, Observation]:
    """Return absent observations, all for one reason."""
    return {request.key: Observation("absent", reason=f"no vantage point: {reason}") for request in requests}


def attempt_argv(way: SshWay, user: str) -> list[str]:
    """Return the command that tries to log in as `user` over the way that Ansible takes, and does nothing there."""
    port = ["-p", str(way.port)] if way.port else []
    key = ["-i", way.key, "-o", "IdentitiesOnly=yes"] if way.key else []
    # The first value of an option wins, so these stand before those of the site.
    own = [
        *("-o", "ControlMaster=no", "-o", "ControlPath=none", "-o", "BatchMode=yes", "-o", "ConnectTimeout=4"),
        *("-o", "PreferredAuthentications=publickey", "-o", "LogLevel=ERROR"),
    ]
    return [way.executable, *own, *way.arguments, *QUICK_EXCHANGE, *port, *key, "-l", user, "--", way.address, "true"]


def arguments_of(*texts: Any) -> tuple[str, ...]:
    """Return the words of ssh_args, ssh_common_args and ssh_extra_args without those of a shared connection."""
    words = [word for text in texts for word in shlex.split(str(text or ""))]
    kept, position = [], 0
    while position < len(words):
        shared = words[position : position + 2]
        if shared[0] == "-o" and len(shared) == 2 and shared[1].lower().startswith("control"):
            position += 2
            continue
        if not shared[0].lower().startswith("-ocontrol"):
            kept.append(shared[0])
        position += 1
    return tuple(kept)


def direct(way: SshWay) -> bool:
    """Say whether ssh itself goes to the target without a proxy, so that a connection made here meets the same host.

    Behind a proxy the address may mean nothing here, or another machine.
    """
    port = ["-p", str(way.port)] if way.port else []
    try:
        answer = subprocess.run(
            [way.executable, "-G", *way.arguments, *port, "--", way.address],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_ATTEMPT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    options = dict(line.partition(" ")[::2] for line in answer.stdout.splitlines())
    # A proxy that is none is not printed, or as such, depending on the release.
    proxies = [options.get(name, "none") for name in ("proxycommand", "proxyjump")]
    return answer.returncode == 0 and proxies == ["none", "none"]


class Attempts:
    """Logins that are tried while something else goes on."""

    def __init__(self, way: SshWay, requests: Sequence[Request]) -> None:
        self._running = [(request, self._start(way, str(request.params["user"]))) for request in requests]

    def results(self) -> dict[str, Observation]:
        """Wait for the attempts and return their observations, by key."""
        return {request.key: self._result(process) for request, process in self._running}

    def _start(self, way: SshWay, user: str) -> subprocess.Popen[str] | OSError:
        try:
            return subprocess.Popen(
                attempt_argv(way, user),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        except OSError as error:
            return error

    def _result(self, process: subprocess.Popen[str] | OSError) -> Observation:
        source = "ssh with the operator's key"
        if isinstance(process, OSError):
            return Observation("error", reason=f"ssh cannot be started on the controller: {process}", source=source)
        try:
            _out, stderr = process.communicate(timeout=_ATTEMPT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return Observation("timeout", reason=f"no answer within {_ATTEMPT_S:g} s", source=source)
        try:
            return Observation("ok", refused_or_let_in(process.returncode, stderr), source=source)
        except ProbeError as error:
            return Observation("error", reason=str(error), source=source)
