# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Every control of the role can fail: one thing of the recorded machine changes, and its verdict alone flips."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.profiles import PROFILES
from ansible_collections.rampart.fleet.plugins.module_utils.posture.evaluate import evaluate
from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import Request, measure
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import Result, params_of, probe_key
from ansible_collections.rampart.fleet.plugins.module_utils.posture.parameters import setting_problems
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes import kinds
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture import catalogue

from tests.recordings.nvidia import NvidiaNode

from . import machine as parts
from .machine import DMI, EDAC, EFI, FLAWS, GLOBAL, PCI, Machine, adapter, amd_server, bridges, disk, gpu, server

CONTROLS = {
    str(entry.control["id"]): entry.control
    for entry in catalogue.load(catalogue.sources(Path(__file__).parents[3])).entries
    if entry.role == "hardware"
}
PROFILED = [name for name, control in CONTROLS.items() if "profile" in control.get("params", {})]


def settings(profile: str, **more: Any) -> dict[str, dict[str, Any]]:
    return {**{name: {"profile": profile} for name in PROFILED}, **more}


def states(machine: Machine, virt: str = "baremetal", chosen: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The state of every control of the role on a machine."""
    return {name: result.state for name, result in results(machine, virt, chosen).items()}


def results(machine: Machine, virt: str = "baremetal", chosen: Mapping[str, Any] | None = None) -> dict[str, Result]:
    """What every control says of a machine; everything about it is measured as on a real host."""
    probes = {probe_key(probe): probe for control in CONTROLS.values() for probe in control["probes"]}
    requests = [Request(key, probe["kind"], params_of(probe), 20.0) for key, probe in probes.items()]
    seen = measure(machine.host(), requests, kinds(), budget_s=120.0)
    context = {"hostname": "gpu1", "mode": "training", "virt": virt, "workload": {}}
    given = settings("hgx-h100") if chosen is None else chosen
    return {name: evaluate(control, seen, context, (), date(2026, 1, 1), given) for name, control in CONTROLS.items()}


@dataclass(frozen=True)
class Break:
    """One thing that goes wrong with a machine, and the states that follow from it."""

    name: str
    change: Callable[[Machine], object]
    turns: Mapping[str, str]


def fails(*numbers: int) -> dict[str, str]:
    return {f"RMP-HW-{number:03d}": "fail" for number in numbers}


def files(content: Mapping[str, str | bytes]) -> Callable[[Machine], object]:
    return lambda machine: parts.changed(machine, content)


def added(content: Mapping[str, str | bytes]) -> Callable[[Machine], object]:
    return lambda machine: machine.files.update(content)


def said(command: str, answer: str) -> Callable[[Machine], object]:
    def change(machine: Machine) -> None:
        assert command in machine.commands
        machine.commands[command] = answer

    return change


def taken(*prefixes: str) -> Callable[[Machine], object]:
    return lambda machine: machine.without(*prefixes)


def healthy_but(**changes: int) -> str:
    return json.dumps({**json.loads(parts.HEALTH), **changes})


def stopped(service: str) -> Callable[[Machine], object]:
    others = [{"unit": name, "active": "active"} for name in parts.SERVICES if name != service]
    return said(parts.UNITS, json.dumps(others))


SMART = "nvme smart-log /dev/nvme3 --output-format=json"
BREAKS = [
    Break("half of the cores", files({"/proc/cpuinfo": parts.cpuinfo(cores=4)}), fails(1)),
    Break("a processor for desktops", files({"/proc/cpuinfo": parts.cpuinfo("Intel(R) Core(TM) i9-14900K")}), fails(1)),
    Break(
        "memory below the profile",
        lambda machine: parts.changed(
            machine, {DMI: parts.tables(parts.modules(1)), "/proc/meminfo": f"MemTotal: {64 * 1024**2} kB\n"}
        ),
        fails(2),
    ),
    Break(
        "one module without ECC",
        files({DMI: parts.tables([*parts.modules(15), parts.module("B16", 64, total=64)])}),
        fails(3),
    ),
    Break("unbuffered memory", files({DMI: parts.tables(parts.modules(detail=0x4080))}), fails(3)),
    Break("error correction off in the firmware", files({DMI: parts.tables(parts.modules(), correction=3)}), fails(3)),
    Break("a GPU fell off the bus", taken(f"{PCI}/{gpu(5)}"), fails(4)),
    Break(
        "a GPU of another model",
        files({f"{PCI}/{gpu(2)}/uevent": parts.uevent("30200", "10DE:20B2", "nvidia")}),
        fails(4),
    ),
    Break("an NVSwitch is gone", taken(f"{PCI}/0000:e2:00.0"), fails(4)),
    Break("a GPU with half of its lanes", files({f"{PCI}/{gpu(0)}/current_link_width": "8\n"}), fails(5)),
    Break(
        "a GPU in a slot of an older generation",
        files({f"{PCI}/{gpu(0)}/max_link_speed": "16.0 GT/s PCIe\n"}),
        fails(5),
    ),
    Break(
        "a GPU with less memory",
        said("nvidia-smi -q -x", NvidiaNode().one("fb_memory_usage/total", "40960 MiB").xml()),
        fails(40),
    ),
    Break(
        "a GPU whose memory the driver cannot tell",
        said("nvidia-smi -q -x", NvidiaNode().one("fb_memory_usage/total", "Unknown Error").xml()),
        {"RMP-HW-040": "error"},
    ),
    Break(
        "a driver that prints half of its answer",
        said("nvidia-smi -q -x", NvidiaNode().xml()[:900]),
        {"RMP-HW-040": "error"},
    ),
    Break(
        "RAID 0 alone",
        files({"/proc/mdstat": parts.MDSTAT.replace("active raid10", "active raid0").replace(" [6/6] [UUUUUU]", "")}),
        fails(6, 18),
    ),
    Break(
        "a rail of a slower network",
        files(
            {
                "/sys/class/net/enp84s0np0/speed": "100000\n",
                "/sys/class/infiniband/mlx5_4/ports/1/rate": "100 Gb/sec (4X EDR)\n",
            }
        ),
        fails(7),
    ),
    Break(
        "a rail without a link",
        files({"/sys/class/net/enp84s0np0/speed": "-1\n", "/sys/class/infiniband/mlx5_4/ports/1/state": "1: DOWN\n"}),
        fails(7),
    ),
    Break("no intrusion detection", stopped("crowdsec.service"), fails(9)),
    Break("intrusion detection off at boot", taken(f"{parts.WANTS}/crowdsec.service"), fails(9)),
    Break("no antivirus", stopped("clamav-daemon.service"), fails(10)),
    Break(
        "nothing counts memory errors",
        taken(EDAC),
        {**fails(11), **dict.fromkeys(("RMP-HW-012", "RMP-HW-013", "RMP-HW-014"), "not_applicable")},
    ),
    Break("a module that runs without ECC", files({f"{EDAC}/mc4/dimm0/dimm_edac_mode": "None\n"}), fails(12)),
    Break("an error that could not be corrected", files({f"{EDAC}/mc6/ue_count": "1\n"}), fails(13)),
    Break("errors every hour", files({f"{EDAC}/mc6/ce_count": "240\n"}), fails(14)),
    Break(
        "errors since a start an hour ago",
        files({f"{EDAC}/mc6/ce_count": "11\n", f"{EDAC}/mc6/seconds_since_reset": "3600\n"}),
        fails(14),
    ),
    Break(
        "a counter that says nothing",
        files({f"{EDAC}/mc6/ue_count": "\n"}),
        dict.fromkeys(("RMP-HW-011", "RMP-HW-012", "RMP-HW-013", "RMP-HW-014"), "error"),
    ),
    Break("the kernel lacks a module", files({"/proc/meminfo": f"MemTotal: {800 * 1024**2} kB\n"}), fails(15)),
    Break("nothing writes errors down", stopped("rasdaemon.service"), fails(16)),
    Break(
        "a disk left its array",
        files(
            {
                "/proc/mdstat": parts.MDSTAT.replace("nvme1n1p2[1]", "nvme1n1p2[1](F)").replace(
                    "[2/2] [UU]", "[2/1] [U_]"
                )
            }
        ),
        fails(17),
    ),
    Break(
        "an array that does not run",
        files({"/proc/mdstat": parts.MDSTAT.replace("md0 : active raid1", "md0 : inactive")}),
        fails(17, 18),
    ),
    Break(
        "a line of mdstat that nobody knows",
        files({"/proc/mdstat": "md0 : strange\n"}),
        dict.fromkeys(("RMP-HW-006", "RMP-HW-017", "RMP-HW-018"), "error"),
    ),
    Break(
        "scratch space that nobody declared",
        added({"/proc/mdstat": parts.MDSTAT + "md2 : active raid0 sdb1[1] sda1[0]\n      1000 blocks\n"}),
        fails(18),
    ),
    Break("an NVMe controller that resets", files({"/sys/class/nvme/nvme3/state": "resetting\n"}), fails(19)),
    Break("a disk that became read-only", said(SMART, healthy_but(critical_warning=8)), fails(20)),
    Break("a disk that lost data", said(SMART, healthy_but(media_errors=2)), fails(20)),
    Break("a disk without spare", said(SMART, healthy_but(avail_spare=5)), fails(21)),
    Break("a worn disk", said(SMART, healthy_but(percent_used=97)), fails(21)),
    Break("half of a health log", said(SMART, parts.HEALTH[:40]), dict.fromkeys(("RMP-HW-020", "RMP-HW-021"), "error")),
    Break("an adapter with half of its lanes", files({f"{PCI}/{adapter(3)}/current_link_width": "8\n"}), fails(22)),
    Break(
        "an adapter that trained slower",
        files({f"{PCI}/{adapter(3)}/current_link_speed": "16.0 GT/s PCIe\n"}),
        fails(22),
    ),
    Break("a disk with half of its lanes", files({f"{PCI}/{disk(3)}/current_link_width": "2\n"}), fails(23)),
    Break(
        "a GPU that reported a fatal error", files({f"{PCI}/{gpu(1)}/aer_dev_fatal": "TOTAL_ERR_FATAL 1\n"}), fails(24)
    ),
    Break(
        "a disk that lost packets", files({f"{PCI}/{disk(1)}/aer_dev_nonfatal": "TOTAL_ERR_NONFATAL 4\n"}), fails(24)
    ),
    Break("a GPU far from every adapter", files({f"{PCI}/{gpu(7)}/numa_node": "5\n"}), fails(25)),
    Break("a GPU whose node nobody knows", files({f"{PCI}/{gpu(7)}/numa_node": "-1\n"}), fails(25)),
    Break("a kernel from before a flaw was known", taken(f"{FLAWS}/vmscape"), fails(26)),
    Break("microcode that is too old", files({"/proc/cpuinfo": parts.cpuinfo(microcode="0x2b000603")}), fails(27)),
    Break(
        "a processor of which no floor is known",
        files({"/proc/cpuinfo": parts.cpuinfo(microcode="0x3b000603")}),
        {"RMP-HW-027": "not_applicable"},
    ),
    Break("a start by a legacy BIOS", taken("/sys/firmware/efi"), {**fails(28), "RMP-HW-029": "not_applicable"}),
    Break("Secure Boot whose keys anyone may set", files({f"{EFI}/SetupMode-{GLOBAL}": b"\6\0\0\0\1"}), fails(29)),
    Break("no TPM", taken("/sys/class/tpm"), fails(30)),
    Break("a TPM of the old kind", files({"/sys/class/tpm/tpm0/tpm_version_major": "1\n"}), fails(30)),
    Break("a module that nobody allowed", added({"/sys/module/rootkit/taint": "OE\n"}), fails(31)),
    Break("a GPU outside every IOMMU group", taken(f"{PCI}/{gpu(2)}/iommu_group"), fails(32)),
    Break(
        "one bridge lets devices talk unchecked", files({f"{PCI}/{bridges(4, 0)[2]}/config": parts.acs(0)}), fails(33)
    ),
    Break(
        "a configuration space that may not be read",
        files({f"{PCI}/{bridges(4, 0)[2]}/config": b"\0" * 64}),
        dict.fromkeys(("RMP-HW-032", "RMP-HW-033"), "error"),
    ),
    Break(
        "a FireWire card",
        added({f"{PCI}/0000:05:00.0/uevent": parts.uevent("C0010", "104C:8025", "firewire_ohci")}),
        fails(34),
    ),
    Break(
        "firmware that anyone may write",
        said(
            "fwupdmgr security --json --no-unreported-check",
            parts.SECURITY.replace('"not-enabled", "Flags": ["success"]', '"enabled", "Flags": []'),
        ),
        fails(36),
    ),
    Break(
        "a controller that nobody can ask",
        taken("/dev/ipmi0"),
        {**fails(37), **dict.fromkeys(("RMP-HW-038", "RMP-HW-039"), "not_applicable")},
    ),
    Break(
        "IPMI over the network",
        said("ipmitool channel info 1", parts.CHANNEL.replace(": disabled\n  Non", ": always available\n  Non")),
        fails(38),
    ),
    Break(
        "a login without a password",
        said("ipmitool lan print 1", parts.LAN.replace("3,17", "0,3,17").replace("XXXaX", "aXXaX")),
        fails(39),
    ),
]


@pytest.fixture(scope="module")
def healthy() -> dict[str, str]:
    return states(server())


NEEDS_MORE = {
    "RMP-HW-008": "a hypervisor is below virtual machines only",
    "RMP-HW-035": "the machine has no Thunderbolt",
}


def test_the_machine_as_it_should_be_passes(healthy: dict[str, str]) -> None:
    others = {name: state for name, state in healthy.items() if state != "pass"}
    assert others == dict.fromkeys(NEEDS_MORE, "not_applicable")


@pytest.mark.parametrize("broken", BREAKS, ids=lambda each: each.name)
def test_one_thing_breaks_and_nothing_else_changes(healthy: dict[str, str], broken: Break) -> None:
    machine = server()
    broken.change(machine)
    found = states(machine)
    assert {name: state for name, state in found.items() if state != healthy[name]} == broken.turns


def test_every_control_is_broken_by_something() -> None:
    broken = {name for each in BREAKS for name, state in each.turns.items() if state == "fail"}
    assert set(CONTROLS) - broken == set(NEEDS_MORE)


def thunderbolt(security: str, protected: str) -> Machine:
    machine = server()
    base = "/sys/bus/thunderbolt/devices/domain0"
    machine.files |= {f"{base}/security": f"{security}\n", f"{base}/iommu_dma_protection": f"{protected}\n"}
    return machine


@pytest.mark.parametrize(
    ("security", "protected", "state"), [("user", "1", "pass"), ("none", "1", "fail"), ("secure", "0", "fail")]
)
def test_thunderbolt_is_guarded(security: str, protected: str, state: str) -> None:
    assert states(thunderbolt(security, protected))["RMP-HW-035"] == state


@pytest.mark.parametrize(("name", "state"), [("kvm", "pass"), ("vmware", "pass"), ("qemu", "fail"), ("oracle", "fail")])
def test_a_guest_is_asked_what_a_guest_can_tell(name: str, state: str) -> None:
    machine = server()
    machine.commands["systemd-detect-virt"] = f"{name}\n"
    found = states(machine, virt="vm")
    assert found["RMP-HW-008"] == state
    judged = {name for name, each in found.items() if each != "not_applicable"}
    assert judged == {f"RMP-HW-{number:03d}" for number in (2, 4, 8, 9, 10, 17, 18, 19, 26, 29, 30, 31, 40)}


def test_a_container_is_not_judged_by_the_hardware_of_its_machine() -> None:
    found = states(server(), virt="container")
    assert {name for name, state in found.items() if state != "not_applicable"} == {"RMP-HW-009", "RMP-HW-010"}


def test_each_profile_is_met_by_its_machine_alone() -> None:
    nvidia, amd = server(), amd_server()
    for profile, machine, lacking in (
        ("hgx-h100", nvidia, set()),
        ("ai-server", nvidia, set()),
        ("ai-server", amd, set()),
        ("mi300x", amd, set()),
        ("hgx-h200", nvidia, {"RMP-HW-004", "RMP-HW-005"}),
        ("mi300x", nvidia, {"RMP-HW-004", "RMP-HW-005", "RMP-HW-040"}),
        ("hgx-h100", amd, {"RMP-HW-004", "RMP-HW-005"}),
    ):
        found = states(machine, chosen=settings(profile))
        assert {name for name in PROFILED if found[name] == "fail"} == lacking, profile


def test_a_gpu_of_amd_outside_the_hive_is_seen() -> None:
    machine = amd_server()
    machine.files[f"{PCI}/{gpu(3)}/xgmi_hive_info/xgmi_hive_id"] = "99\n"
    assert states(machine, chosen=settings("mi300x"))["RMP-HW-004"] == "fail"


def test_an_amd_gpu_without_its_driver_is_an_error() -> None:
    machine = amd_server()
    del machine.files[f"{PCI}/{gpu(3)}/mem_info_vram_total"]
    assert states(machine, chosen=settings("mi300x"))["RMP-HW-040"] == "error"


def test_what_a_site_trades_is_declared_and_printed() -> None:
    machine = server()
    for number in range(parts.GPUS):
        for leaf in range(3):
            machine.files |= {f"{PCI}/{bridge}/config": parts.acs(0) for bridge in bridges(number, leaf)}
    assert states(machine)["RMP-HW-033"] == "fail"
    assert states(machine, chosen=settings("hgx-h100", **{"RMP-HW-033": {"acs": "off"}}))["RMP-HW-033"] == "pass"


def test_what_is_known_to_be_slower_is_declared() -> None:
    machine = parts.changed(server(), {f"{PCI}/{adapter(3)}/current_link_width": "8\n"})
    known = settings("hgx-h100", **{"RMP-HW-022": {"declared": [adapter(3)]}})
    assert states(machine, chosen=known)["RMP-HW-022"] == "pass"


def test_a_board_may_give_an_adapter_fewer_lanes_than_it_has() -> None:
    port = bridges(3, 1)[-1]
    machine = parts.changed(
        server(),
        {f"{PCI}/{adapter(3)}/current_link_width": "8\n", f"{PCI}/{port}/max_link_width": "8\n"},
    )
    assert states(machine)["RMP-HW-022"] == "pass"
    parts.changed(machine, {f"{PCI}/{adapter(3)}/current_link_width": "4\n"})
    assert states(machine)["RMP-HW-022"] == "fail"


def test_a_firmware_that_names_no_widths_is_believed_about_its_array() -> None:
    unnamed = parts.modules(total=0xFFFF)
    machine = parts.changed(server(), {DMI: parts.tables(unnamed)})
    assert states(machine)["RMP-HW-003"] == "pass"
    parts.changed(machine, {DMI: parts.tables(unnamed, correction=2)})
    assert states(machine)["RMP-HW-003"] == "fail"


def test_an_unknown_profile_is_told_with_those_that_exist() -> None:
    problems = list(setting_problems({"RMP-HW-004": {"profile": "dgx"}}, CONTROLS))
    assert problems == [
        "posture_parameters of RMP-HW-004: profile is 'dgx', wanted one of ai-server, hgx-h100, hgx-h200, mi300x"
    ]


def test_a_failure_says_what_was_found_instead() -> None:
    machine = server()
    machine.without(f"{PCI}/{gpu(5)}")
    reason = results(machine)["RMP-HW-004"].reason
    assert reason.startswith('line = {"ai-server": "meets", "found": "7 x 10de:2330; 4 NVSwitches, 0 hives of XGMI"}')
    assert "this site expects profile 'hgx-h100', the control 'ai-server'" in reason


def test_controls_offer_the_profiles_that_are_shipped() -> None:
    assert len(PROFILED) == 9
    for name in PROFILED:
        assert CONTROLS[name]["params"]["profile"]["choices"] == list(PROFILES)


def test_tools_that_are_missing_are_no_verdict() -> None:
    machine = server()
    for tool in ("nvme", "ipmitool", "fwupdmgr"):
        for line in [each for each in machine.commands if str(each).startswith(tool)]:
            del machine.commands[line]
    found = states(machine)
    assert {found[f"RMP-HW-{number:03d}"] for number in (20, 21, 36, 38, 39)} == {"not_applicable"}
    assert found["RMP-HW-037"] == "fail"
