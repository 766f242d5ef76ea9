# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Who listens on the network, from the kernel's socket tables."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

# net/tcp_states.h: TCP_LISTEN is 0A; an unconnected UDP socket is in TCP_CLOSE, 07.
_TABLES = (("tcp", "tcp", "0A"), ("tcp", "tcp6", "0A"), ("udp", "udp", "07"), ("udp", "udp6", "07"))


@dataclass(frozen=True)
class _Socket:
    proto: str
    address: str
    port: int
    uid: int
    inode: str


@probe("listening_sockets", optional=("scope", "below"), source="/proc/net/tcp, tcp6, udp, udp6; /proc/*/fd")
def listening_sockets(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return a list of {proto: tcp|udp, address, port, service, process, uid, loopback}, by protocol, port and address.

    `service` is such as `tcp/22`. `scope: network` leaves out what only the host itself reaches, and `below` the ports
    from that number on.

    `process` is the command name of a process that holds the socket (the lowest pid), or null when none can be seen:
    the kernel itself, or a process outside this container.
    """
    scope, below = params.get("scope"), int(params.get("below", 65536))
    if scope not in (None, "network"):
        raise ProbeError(f"listening_sockets has the scope {scope!r}; wanted network or none")
    found: list[dict[str, Any]] = host.once("listening_sockets", lambda: _listening(host))
    return [one for one in found if one["port"] < below and not (scope and one["loopback"])]


def _listening(host: Host) -> list[dict[str, Any]]:
    sockets = [one for table in _TABLES for one in _table(host, *table)]
    holders = _holders(host, {one.inode for one in sockets})
    found = [
        {
            "proto": one.proto,
            "address": one.address,
            "port": one.port,
            "service": f"{one.proto}/{one.port}",
            "process": holders.get(one.inode),
            "uid": one.uid,
            "loopback": _is_loopback(one.address),
        }
        for one in sockets
    ]
    return sorted(found, key=lambda one: (str(one["proto"]), one["port"], str(one["address"])))


def _table(host: Host, proto: str, name: str, state: str) -> Iterator[_Socket]:
    try:
        lines = host.read_text(f"/proc/net/{name}").splitlines()[1:]
    except Absent:
        # Without IPv6 the kernel has no such table, and nothing listens there.
        return
    for line in lines:
        fields = line.split()
        if len(fields) < 10:
            raise ProbeError(f"/proc/net/{name} has a line that is none: {line!r}")
        if fields[3] == state:
            address, _unused, port = fields[1].partition(":")
            yield _Socket(proto, _address(address), int(port, 16), int(fields[7]), fields[9])


def _address(text: str) -> str:
    """Return the address of its hexadecimal words, each of which is in the byte order of the machine."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    packed = b"".join(struct.pack("=I", word) for word in words)
    return str(ipaddress.ip_address(packed))


def _is_loopback(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)


def _holders(host: Host, inodes: set[str]) -> dict[str, str]:
    """Return the command name of the process with the lowest pid for each socket.

    ProbeError when a socket stays without one and there are processes that may not be looked at: it may be theirs.
    """
    holders: dict[str, str] = {}
    refused: list[str] = []
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    for pid in sorted(int(name) for name in host.listdir("/proc") if name.isdigit()):
        host.check_deadline()
        for inode in _held(host, pid, wanted, refused):
            if inode not in holders:
                holders[inode] = _text(host, f"/proc/{pid}/comm")
        if len(holders) == len(inodes):
            return holders
    if refused:
        raise ProbeError(f"whose the sockets are cannot be told, {len(refused)} processes are closed: {refused[0]}")
    return holders


def _held(host: Host, pid: int, wanted: dict[str, str], refused: list[str]) -> list[str]:
    try:
        links = [_link(host, f"/proc/{pid}/fd/{name}") for name in host.listdir(f"/proc/{pid}/fd")]
    except Absent:
        # The process ended.
        return []
    except ProbeError as error:
        refused.append(str(error))
        return []
    return [wanted[link] for link in links if link in wanted]


def _link(host: Host, path: str) -> str:
    try:
        return host.readlink(path)
    except (Absent, ProbeError):
        return ""


def _text(host: Host, path: str) -> str:
    try:
        return host.read_text(path).strip()
    except (Absent, ProbeError):
        return ""
