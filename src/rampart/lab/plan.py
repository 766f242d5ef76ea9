# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Topology and lab name to names, addresses, MACs: pure, so that the same lab is always planned the same way."""

from __future__ import annotations

import hashlib
import ipaddress
import uuid
from dataclasses import dataclass

from rampart.lab.errors import LabError
from rampart.lab.topology import HostSpec, Topology, check_name

RELEASES = {"12": "bookworm", "13": "trixie"}
_SPACE = ipaddress.IPv4Network("198.18.0.0/15")  # RFC 2544: benchmarking of devices, never routed
_FIRST_HOST = 10
_NAMESPACE = uuid.UUID("6f1a1d2e-0a3c-5f39-9a53-3b7c0c0f4e51")


@dataclass(frozen=True)
class RailPlan:
    """One back-end interface of a host: rail `index` (0-based) is an isolated layer-2 segment shared by all hosts."""

    index: int
    address: str  # without prefix; the network is a /24 of its own
    prefix: int
    mac: str


@dataclass(frozen=True)
class HostPlan:
    """One host with everything that follows from the lab's name. `spec` is the host as the topology describes it."""

    spec: HostSpec
    index: int  # 0-based, in the order of the topology file
    fqdn: str
    address: str  # management address without prefix, from the lab's network
    mac: str
    machine_id: str  # 32 hex digits
    rails: tuple[RailPlan, ...]

    @property
    def name(self) -> str:
        return self.spec.name


@dataclass(frozen=True)
class LabPlan:
    """A lab: driver and release it is made of, its management network, its hosts."""

    name: str
    driver: str  # nspawn | qemu
    release: str  # 12 | 13
    topology: str
    network: str  # 198.18.x.0/24 or 198.19.x.0/24
    prefix: int
    controller: str  # the address of the controller's end in the lab's network (.1)
    hosts: tuple[HostPlan, ...]
    packages: tuple[str, ...] = ()  # what the image has installed besides

    @property
    def suite(self) -> str:
        return RELEASES[self.release]

    def host(self, name: str) -> HostPlan:
        """The host of that name; LabError lists the names there are."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabError(f"lab {self.name!r} has no host {name!r}; it has {', '.join(h.name for h in self.hosts)}")


def make(topology: Topology, name: str, driver: str, release: str) -> LabPlan:
    """Plan a lab. Two labs may get the same network by chance: each lives in a network namespace of its own."""
    check_name(name, "lab name")
    if release not in RELEASES:
        raise LabError(f"release {release!r} is not known; wanted one of {', '.join(RELEASES)} (Debian)")
    network = _network(name, 0)
    hosts = tuple(_host(spec, index, name, network, topology.rails) for index, spec in enumerate(topology.hosts))
    return LabPlan(
        name,
        driver,
        release,
        topology.name,
        str(network),
        network.prefixlen,
        str(network[1]),
        hosts,
        topology.packages,
    )


def _network(lab: str, segment: int) -> ipaddress.IPv4Network:
    """The /24 of a segment: 0 is management, 1 and up are rails. 512 networks of 24 bits fit in the /15."""
    start = int.from_bytes(hashlib.sha256(lab.encode()).digest()[:2], "big")
    number = (start + segment) % 512
    return ipaddress.IPv4Network((int(_SPACE.network_address) + (number << 8), 24))


def _host(spec: HostSpec, index: int, lab: str, network: ipaddress.IPv4Network, rails: int) -> HostPlan:
    planned = []
    for rail in range(rails):
        segment = _network(lab, rail + 1)
        planned.append(RailPlan(rail, str(segment[_FIRST_HOST + index]), 24, _mac(lab, spec.name, f"rail{rail}")))
    return HostPlan(
        spec=spec,
        index=index,
        fqdn=f"{spec.name}.{lab}.rampart.test",
        address=str(network[_FIRST_HOST + index]),
        mac=_mac(lab, spec.name, "management"),
        machine_id=uuid.uuid5(_NAMESPACE, f"{lab}/{spec.name}").hex,
        rails=tuple(planned),
    )


def _mac(lab: str, host: str, interface: str) -> str:
    """A locally administered unicast address (RFC 7042, section 2.1: second bit of the first octet set)."""
    digest = hashlib.sha256(f"{lab}/{host}/{interface}".encode()).digest()
    return ":".join(f"{octet:02x}" for octet in (0x02, *digest[:5]))
