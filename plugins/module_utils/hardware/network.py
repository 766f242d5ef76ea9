# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Network ports that are hardware, and the RDMA side of those that have one."""

from __future__ import annotations

import re

from ansible_collections.rampart.fleet.plugins.module_utils.hardware.facts import Port
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.reading import (
    addresses_in,
    link_name,
    names,
    number,
    word,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host

_NET, _RDMA = "/sys/class/net", "/sys/class/infiniband"


def ports(host: Host) -> tuple[Port, ...]:
    """Return the ports of the host; bridges, bonds, tunnels and the like are left out."""
    return (*_interfaces(host), *_rdma_ports(host))


def _interfaces(host: Host) -> list[Port]:
    found = []
    for name in names(host, _NET):
        base = f"{_NET}/{name}"
        path = _path(host, base)
        if "/virtual/" in path or not path:
            continue
        speed = number(host, f"{base}/speed")
        found.append(
            Port(
                name=name,
                kind="ethernet" if word(host, f"{base}/type") == "1" else "other",
                driver=link_name(host, f"{base}/device/driver"),
                # The kernel says -1, or refuses, while there is no link.
                speed_gbps=speed / 1000 if speed is not None and speed > 0 else None,
                up=word(host, f"{base}/operstate") == "up",
                pci_address=_last(path),
                numa_node=_node(host, f"{base}/device/numa_node"),
            )
        )
    return found


def _rdma_ports(host: Host) -> list[Port]:
    found = []
    for device in names(host, _RDMA):
        base = f"{_RDMA}/{device}"
        path = _path(host, base)
        if "/virtual/" in path or not path:
            continue
        for port in names(host, f"{base}/ports"):
            up = word(host, f"{base}/ports/{port}/state").startswith("4:")
            found.append(
                Port(
                    name=f"{device}/{port}",
                    kind="rdma",
                    driver=link_name(host, f"{base}/device/driver"),
                    speed_gbps=rate(word(host, f"{base}/ports/{port}/rate")) if up else None,
                    up=up,
                    pci_address=_last(path),
                    numa_node=_node(host, f"{base}/device/numa_node"),
                )
            )
    return found


def rate(text: str) -> float | None:
    """Return the gigabits per second of a text such as `400 Gb/sec (4X NDR)`."""
    found = re.match(r"([0-9]{1,5}(?:\.[0-9])?) Gb/sec", text)
    return float(found.group(1)) if found else None


def _path(host: Host, link: str) -> str:
    try:
        return host.readlink(link)
    except (Absent, ProbeError):
        return ""


def _last(path: str) -> str | None:
    addresses = addresses_in(path)
    return addresses[-1] if addresses else None


def _node(host: Host, path: str) -> int | None:
    node = number(host, path)
    return node if node is not None and node >= 0 else None
