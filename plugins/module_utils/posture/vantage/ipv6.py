# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a host is open over IPv6 where it is closed over IPv4: nobody has to set a link-local address."""

from __future__ import annotations

import ipaddress
import json
import socket
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.dial import CLOSED, OPEN, dial, resolve
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.services import WELL_KNOWN
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.target import target_of


@probe("ipv6", source="TCP connections to the IPv6 address of {target}")
def ipv6(host: Host, params: Params) -> dict[str, Any]:
    """Return `{address, open: [port], only_ipv6: [port]}` for the well-known ports.

    The address is the target's own when it is one, that of its name, or the link-local one of its Ethernet address.
    Absent when this host knows none, or nobody has it.
    """
    target = target_of(params)
    ports = [*WELL_KNOWN, target.ssh_port]
    address = _address(host, target.address)
    six = dial(address, ports)
    if not {OPEN, CLOSED} & set(six.values()) and not _neighbour(host, address):
        raise Absent(f"nobody has the address {address}")
    opened = sorted(port for port, state in six.items() if state == OPEN)
    four = dial(target.address, opened) if resolve(target.address)[0] == socket.AF_INET else dict.fromkeys(opened, OPEN)
    return {"address": address, "open": opened, "only_ipv6": [port for port in opened if four[port] != OPEN]}


def link_local(mac: str) -> str:
    """Return the link-local address that a kernel makes of an Ethernet address (RFC 4291, appendix A)."""
    parts = [int(part, 16) for part in mac.split(":")]
    if len(parts) != 6:
        raise ProbeError(f"{mac!r} is no Ethernet address")
    parts[0] ^= 2
    words = [*parts[:3], 0xFF, 0xFE, *parts[3:]]
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + bytes(words)))


def _address(host: Host, address: str) -> str:
    family, place = resolve(address)
    if family == socket.AF_INET6:
        return address
    if not _is_literal(address):
        try:
            return str(socket.getaddrinfo(address, 0, socket.AF_INET6, socket.SOCK_STREAM)[0][4][0])
        except OSError:
            pass
    # The connection makes the kernel ask for the Ethernet address, if the target is on the same link at all.
    dial(address, [22], 0.2)
    for line in host.read_text("/proc/net/arp").splitlines()[1:]:
        fields = line.split()
        if len(fields) == 6 and fields[0] == place[0] and fields[3] != "00:00:00:00:00:00":
            return f"{link_local(fields[3])}%{fields[5]}"
    raise Absent(f"no IPv6 address of {address} is known here, and it is not on the same link")


def _is_literal(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def _neighbour(host: Host, address: str) -> bool:
    """Say whether somebody answered for the address on the link; behind a router that counts as so."""
    plain, _percent, device = address.partition("%")
    if not device:
        return True
    answer = host.run(["ip", "-6", "-j", "neigh", "show", "to", plain, "dev", device]).require_ok()
    try:
        entries = json.loads(answer.stdout or "[]")
    except ValueError:
        raise ProbeError(f"ip neigh answers {answer.stdout[:80]!r}, wanted JSON") from None
    return any("lladdr" in entry and "FAILED" not in entry.get("state", []) for entry in entries)
