# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""All facts at once: of the recorded machine, of its files on a disk, and of machines of which little can be told."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.hardware import lines, match, processor
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.measure import measure
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.profiles import PROFILES
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError, ProbeTimeout
from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import LocalHost

from ..posture.recorded_host import RecordedHost
from .machine import DMI, PCI, adapter, amd_server, bridges, cpuinfo, gpu, server


def test_everything_of_the_machine_is_measured() -> None:
    found = measure(server().host(), slow=True)
    assert found["not_measured"] == {}
    assert json.loads(json.dumps(found)) == found
    assert len(found["gpus"]) == 8 and len(found["memory"]["modules"]) == 16 and len(found["ports"]) == 16
    third = found["gpus"][2]
    assert (third["address"], third["vendor"], third["device"], third["driver"]) == (gpu(2), "10de", "2330", "nvidia")
    assert third["bridges"] == bridges(2, 0)
    assert (third["numa_node"], third["width"], third["speed_max_gts"]) == (0, 16, 32.0)
    assert third["aer"] == {"correctable": 0, "nonfatal": 0, "fatal": 0}
    assert set(found["gpu_acs"].values()) == {True}
    assert found["trust"]["tpm_versions"] == ["2"] and found["trust"]["lockdown"] == "integrity"
    assert found["management_channels"] == [
        {"number": 1, "access": "disabled", "address": "192.0.2.17", "cipher_zero": False}
    ]


def test_files_on_a_disk_say_the_same(tmp_path: Path) -> None:
    machine = server()
    machine.write(tmp_path)
    real = measure(LocalHost(root=str(tmp_path), search_path=[]))
    recorded = measure(machine.host())
    for name in (
        "identity",
        "processor",
        "memory",
        "memory_controllers",
        "storage",
        "gpus",
        "gpu_acs",
        "ports",
        "trust",
    ):
        assert real[name] == recorded[name], name
    assert real["not_measured"]["virtualisation"].startswith("'systemd-detect-virt' is not installed")


def test_the_hive_of_amd() -> None:
    assert {each["xgmi_hive"] for each in measure(amd_server().host())["gpus"]} == {"7130161263126"}


def test_what_takes_seconds_is_asked_on_demand() -> None:
    machine = server()
    host = machine.host()
    found = measure(host)
    assert host.asked == ["systemd-detect-virt"]
    assert set(found["not_measured"]) == {"nvme_health", "management_channels", "host_security"}


def test_a_machine_that_says_nothing_gives_reasons() -> None:
    found = measure(RecordedHost(), slow=True)
    empty = {name for name, value in found.items() if value is None}
    assert empty == set(found["not_measured"]) >= {"processor", "memory", "memory_controllers", "gpus", "identity"}
    assert all(found["not_measured"].values())


@pytest.mark.parametrize("refusal", [ProbeError("Operation not permitted"), ProbeTimeout("the time is over")])
def test_a_reading_that_is_refused_costs_its_section_and_no_other(refusal: Exception) -> None:
    machine = server()
    machine.files[DMI] = refusal
    found = measure(machine.host())
    assert found["memory"] is None and found["not_measured"]["memory"] == str(refusal)
    assert len(found["gpus"]) == 8


def test_only_root_reads_behind_byte_64_and_nobody_guesses() -> None:
    machine = server()
    machine.files[f"{PCI}/{bridges(0, 0)[0]}/config"] = b"\0" * 64
    found = measure(machine.host())
    assert found["gpu_acs"] is None
    assert "be root" in found["not_measured"]["gpu_acs"]


def test_a_port_without_a_link_has_no_speed() -> None:
    machine = server()
    machine.files["/sys/class/net/enp20s0np0/speed"] = ProbeError("Invalid argument")
    port = next(each for each in measure(machine.host())["ports"] if each["name"] == "enp20s0np0")
    assert (port["speed_gbps"], port["pci_address"]) == (None, adapter(0))


def test_files_with_any_bytes_give_facts_or_reasons() -> None:
    machine = server()
    chance = random.Random(20261121)
    for path in chance.sample(sorted(machine.files), 400):
        content = machine.files[path]
        damaged = server()
        damaged.files[path] = chance.randbytes(chance.randrange(40)) if chance.random() < 0.5 else _cut(content, chance)
        found = measure(damaged.host(), slow=True)
        assert json.dumps(found)


def _cut(content: str | bytes | Exception, chance: random.Random) -> str | bytes:
    assert not isinstance(content, Exception)
    return content[: chance.randrange(len(content) + 1)]


def test_a_line_that_no_profile_has_is_an_error() -> None:
    with pytest.raises(ProbeError, match="no line 'colour', wanted one of cpu, memory, ecc"):
        lines.measure(server().host(), "colour")


def test_every_figure_of_a_profile_names_its_source() -> None:
    for profile in PROFILES.values():
        lines = (profile.cpu, profile.memory, profile.gpu, profile.storage, profile.network, profile.hypervisor)
        assert profile.meaning and all(line.source for line in lines)


def test_profiles_are_data_that_makes_sense() -> None:
    for name, profile in PROFILES.items():
        assert name == profile.name
        assert all(re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{4}", model) for model in profile.gpu.models)
        assert profile.gpu.fabric in ("", "nvswitch", "xgmi")
        assert profile.gpu.width in (None, 1, 2, 4, 8, 16)
        assert profile.gpu.speed_gts in (None, 8.0, 16.0, 32.0, 64.0)
        sizes = (profile.memory.bytes_min, profile.gpu.memory_bytes_min, profile.storage.raid_bytes_min)
        assert all(size >= 10**9 for size in sizes) and profile.cpu.cores_min > 0 and profile.network.ports_min > 0
        assert profile.network.gbps_min > 0 and profile.gpu.count_min > 0


@pytest.mark.parametrize(
    ("model", "server_part"),
    [
        ("Intel(R) Xeon(R) Gold 6430", True),
        ("INTEL(R) XEON(R) PLATINUM 8580", True),
        ("Intel(R) Xeon(R) 6960P", True),
        ("Intel(R) Xeon(R) CPU Max 9480", True),
        ("AMD EPYC 9654 96-Core Processor", True),
        ("AMD EPYC", True),
        ("Intel(R) Xeon(R) E-2388G CPU @ 3.20GHz", False),
        ("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", False),
        ("AMD Ryzen Threadripper PRO 7995WX 96-Cores", False),
        ("QEMU Virtual CPU version 2.5+", False),
    ],
)
def test_what_counts_as_a_processor_for_servers(model: str, server_part: bool) -> None:
    found = replace(processor.parse(cpuinfo()), model=model)
    assert match.cpu(PROFILES["ai-server"], found) is server_part


@pytest.mark.parametrize("command", ["ipmitool channel info 1", "fwupdmgr security --json --no-unreported-check"])
def test_a_tool_that_hangs_is_waited_for_once(command: str) -> None:
    machine = server()
    machine.commands[command] = ProbeTimeout(f"{command} did not end in time")
    host = machine.host()
    found = measure(host, slow=True)
    assert list(found["not_measured"].values()) == [f"{command} did not end in time"]
    assert host.asked.count(command) == 1
    assert not command.startswith("ipmitool") or "ipmitool channel info 2" not in host.asked
