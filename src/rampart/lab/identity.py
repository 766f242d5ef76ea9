# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What makes a host itself (name, keys, hosts file), and what the controller needs to log in (key, pins, config)."""

from __future__ import annotations

import shlex
from pathlib import Path

from rampart.lab import aptrepo
from rampart.lab.driver import Endpoint, HostFile
from rampart.lab.images import USER, USER_ID
from rampart.lab.plan import HostPlan, LabPlan
from rampart.lab.state import LabFolder, write_atomic
from rampart.lab.tools import run

HOST_KEY_TYPES = ("ed25519", "ecdsa", "rsa")
_KEY_S = 300.0  # the search for primes took over 60 s on an emulated machine with its cores busy
# The image itself is older than the repository and its key.
APT_SOURCE = f"deb [signed-by=/srv/rampart-apt/{aptrepo.KEY}] file:/srv/rampart-apt ./\n"
_CONNECT_S = {"nspawn": 15, "qemu": 60}  # an emulated machine takes 10 s for a login when the cores are busy


def ensure_login_key(folder: LabFolder) -> None:
    """The key pair that opens the lab's hosts to user ops; made once a lab."""
    _key_pair(folder.key, "ed25519", f"rampart lab {folder.name}")


def host_files(plan: LabPlan, host: HostPlan, folder: LabFolder) -> tuple[HostFile, ...]:
    """The files of one host; its ssh host keys are made at the first call and kept in the lab's folder."""
    files = [
        HostFile("/etc/hostname", f"{host.name}\n".encode()),
        HostFile("/etc/hosts", hosts_file(plan, host).encode()),
        HostFile("/etc/apt/sources.list", APT_SOURCE.encode()),
        HostFile("/etc/machine-id", f"{host.machine_id}\n".encode(), 0o444),
        HostFile(
            f"/home/{USER}/.ssh/authorized_keys",
            folder.key.with_suffix(".pub").read_bytes(),
            0o600,
            USER_ID,
            USER_ID,
        ),
    ]
    for kind in HOST_KEY_TYPES:
        private = _host_key(folder, host, kind)
        files.append(HostFile(f"/etc/ssh/{private.name}", private.read_bytes(), 0o600))
        public = private.with_suffix(".pub")
        files.append(HostFile(f"/etc/ssh/{public.name}", public.read_bytes()))
    return tuple(files)


def hosts_file(plan: LabPlan, host: HostPlan) -> str:
    """/etc/hosts with the whole fleet: without its own name in it, fact gathering waits 10 s for a resolver."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback", f"{plan.controller} controller"]
    # The host's own line comes first, so that its address resolves to its own name.
    for peer in (host, *(other for other in plan.hosts if other is not host)):
        lines.append(f"{peer.address} {peer.fqdn} {peer.name}")
        lines += [f"{rail.address} {peer.name}-rail{rail.index}" for rail in peer.rails]
    return "\n".join(lines) + "\n"


def write_ssh_files(plan: LabPlan, folder: LabFolder, endpoints: dict[str, Endpoint]) -> None:
    """`ssh_config` and `known_hosts` of the lab; hosts are pinned under their names (HostKeyAlias)."""
    pins = []
    for host in plan.hosts:
        for kind in HOST_KEY_TYPES:
            kind_and_key = _host_key(folder, host, kind).with_suffix(".pub").read_text(encoding="ascii").split()[:2]
            pins.append(f"{host.name} {' '.join(kind_and_key)}\n")
    write_atomic(folder.known_hosts, "".join(pins).encode())
    write_atomic(folder.ssh_config, ssh_config(plan, folder, endpoints).encode())


def ssh_config(plan: LabPlan, folder: LabFolder, endpoints: dict[str, Endpoint]) -> str:
    """Text of an ssh_config(5) in which each host answers to its name and, where it is its own, its address."""
    blocks = []
    for host in plan.hosts:
        endpoint = endpoints[host.name]
        names = host.name if endpoint.proxy_command is None else f"{host.name} {endpoint.address}"
        lines = [f"Host {names}", f"HostName {endpoint.address}", f"Port {endpoint.port}", f"HostKeyAlias {host.name}"]
        if endpoint.proxy_command is not None:
            lines += [f"ProxyCommand {endpoint.proxy_command}", "ProxyUseFdpass yes"]
        blocks.append("\n    ".join(lines))
    common = (
        "Host *",
        f"User {USER}",
        f"IdentityFile {_quoted(folder.key)}",
        "IdentitiesOnly yes",
        f"UserKnownHostsFile {_quoted(folder.known_hosts)}",
        "GlobalKnownHostsFile none",
        "StrictHostKeyChecking yes",
        "UpdateHostKeys no",
        "PasswordAuthentication no",
        f"ConnectTimeout {_CONNECT_S[plan.driver]}",
        "ServerAliveInterval 10",
        "LogLevel ERROR",
    )
    return "\n\n".join((*blocks, "\n    ".join(common))) + "\n"


def ssh_arguments(folder: LabFolder) -> str:
    """The options that make plain ssh, and Ansible, use the lab's configuration."""
    return f"-F {shlex.quote(str(folder.ssh_config))}"


def _host_key(folder: LabFolder, host: HostPlan, kind: str) -> Path:
    """`kind` keys of a host; rsa has 3072 bits, ssh-keygen's default since OpenSSH 8.0."""
    path = folder.path / "keys" / host.name / f"ssh_host_{kind}_key"
    path.parent.mkdir(parents=True, exist_ok=True)
    _key_pair(path, kind, f"root@{host.name}")
    return path


def _key_pair(path: Path, kind: str, comment: str) -> None:
    if path.exists() and path.with_suffix(".pub").exists():
        return
    path.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", str(path)], _KEY_S)


def _quoted(path: Path) -> str:
    return f'"{path}"'
