# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Topology files: the right ones are understood; of a wrong one, file, key, value found and value wanted are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from rampart.lab import topology
from rampart.lab.errors import LabError


def test_shipped_topologies_are_those_documented() -> None:
    assert topology.shipped_names() == ("demo", "rails", "single")
    demo = topology.load("demo")
    assert [(host.name, host.mode, host.groups) for host in demo.hosts] == [
        ("gateway1", "inference", ("gateway",)),
        ("gpu1", "inference", ("gpu",)),
        ("gpu2", "training", ("gpu",)),
        ("store1", "idle", ("store",)),
    ]
    assert demo.needs_vm == ()
    assert topology.load("rails").rails == 2
    assert "2 rails" in topology.load("rails").needs_vm[0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "found list"),
        ({"hosts": {}}, "found 0 hosts, wanted 1 to 200"),
        (
            {"hosts": {"a": {"mode": "idle"}}, "rail": 1},
            "unknown key 'rail'; known are hosts, rails, packages, description (did you mean",
        ),
        ({"hosts": {"a": {"mode": "idel"}}}, "hosts: a: mode: found 'idel', wanted one of inference, training, idle"),
        ({"hosts": {"a": {}}}, "mode: found None"),
        ({"hosts": {"a": {"mode": "idle", "memroy_mib": 1}}}, "did you mean 'memory_mib'"),
        ({"hosts": {"a": {"mode": "idle", "memory_mib": True}}}, "found True, wanted a whole number from 256"),
        (
            {"hosts": {"a": {"mode": "idle", "groups": ["gpus"]}}},
            "found ['gpus'], wanted a list of gpu, gateway, store",
        ),
        ({"hosts": {"a": {"mode": "idle", "tpm": "yes"}}}, "found 'yes', wanted true or false"),
        ({"hosts": {"a": {"mode": "idle", "kernel_words": "audit=1"}}}, "found 'audit=1', wanted a list of words"),
        ({"hosts": {"a": {"mode": "idle", "kernel_words": ["a b"]}}}, "found ['a b'], wanted a list of words"),
        ({"hosts": {"a": {"mode": "idle"}}, "packages": ["a;b"]}, "packages: found ['a;b'], wanted a list of Debian"),
        ({"hosts": {"A_b": {"mode": "idle"}}}, "host name 'A_b' is not usable"),
        ({"hosts": {"a": {"mode": "idle"}}, "rails": 9}, "rails: found 9, wanted a whole number from 0 to 8"),
    ],
)
def test_a_wrong_topology_is_refused_in_words(data: object, said: str) -> None:
    with pytest.raises(LabError) as caught:
        topology.parse(data, "x", "x.yml")
    assert said in str(caught.value)
    assert "x.yml" in str(caught.value)


def test_a_host_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.yml"
    path.write_text("hosts:\n  a: {mode: idle}\n  a: {mode: training}\n", encoding="utf-8")
    with pytest.raises(LabError, match=r"twice.yml.*key 'a' twice"):
        topology.load(str(path))


def test_an_unknown_name_suggests_the_right_one() -> None:
    with pytest.raises(LabError, match="did you mean 'demo'"):
        topology.load("dmeo")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"none\.yml: cannot read it"):
        topology.load(str(tmp_path / "none.yml"))


def test_only_virtual_machines_have_a_second_disk_and_a_command_line_of_their_own() -> None:
    wants = {"mode": "idle", "extra_disk_mib": 512, "tpm": True, "kernel_words": ["audit=1", "slab_nomerge"]}
    found = topology.parse({"hosts": {"a": wants}}, "x", "x.yml")
    assert found.needs_vm == ("host a wants extra_disk_mib, tpm, kernel_words",)
