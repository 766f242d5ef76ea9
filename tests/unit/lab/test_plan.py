# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The plan of a lab: deterministic, unique within the lab, inside the address space for benchmarks."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rampart.lab import plan, topology
from rampart.lab.errors import LabError

SPACE = ipaddress.ip_network("198.18.0.0/15")


@given(st.from_regex(r"[a-z][a-z0-9]{0,20}", fullmatch=True), st.integers(1, 60), st.integers(0, 8))
def test_names_addresses_and_macs_are_unique_and_inside_the_space(name: str, hosts: int, rails: int) -> None:
    data = {"hosts": {f"h{number}": {"mode": "idle"} for number in range(hosts)}, "rails": rails}
    made = plan.make(topology.parse(data, "x", "x.yml"), name, "qemu", "12")
    addresses = [made.controller, *(h.address for h in made.hosts), *(r.address for h in made.hosts for r in h.rails)]
    macs = [h.mac for h in made.hosts] + [r.mac for h in made.hosts for r in h.rails]
    assert len(set(addresses)) == len(addresses)
    assert len(set(macs)) == len(macs)
    assert len({h.machine_id for h in made.hosts}) == hosts
    assert all(ipaddress.ip_address(address) in SPACE for address in addresses)
    assert all(int(mac[:2], 16) & 0b11 == 0b10 for mac in macs), "locally administered, unicast"


def test_the_same_lab_is_planned_the_same_and_another_is_not() -> None:
    demo = topology.load("demo")
    first = plan.make(demo, "one", "nspawn", "12")
    assert first == plan.make(demo, "one", "nspawn", "12")
    second = plan.make(demo, "two", "nspawn", "12")
    assert first.network != second.network
    assert first.hosts[0].machine_id != second.hosts[0].machine_id
    assert first.suite == "bookworm"


@pytest.mark.parametrize(("name", "release"), [("Default", "12"), ("a" * 33, "12"), ("../x", "12"), ("ok", "11")])
def test_a_bad_name_or_release_is_refused(name: str, release: str) -> None:
    with pytest.raises(LabError, match="wanted"):
        plan.make(topology.load("single"), name, "nspawn", release)


def test_an_unknown_host_lists_the_known_ones() -> None:
    with pytest.raises(LabError, match="no host 'gpu9'; it has gateway1, gpu1, gpu2, store1"):
        plan.make(topology.load("demo"), "one", "nspawn", "12").host("gpu9")
