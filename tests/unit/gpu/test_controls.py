# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Every control of GPUs can fail: one thing of a recorded machine changes, the named controls flip, and no others.

The course is the real one: the catalogue's controls, their probes, and the verdict.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.gpu import nvidia_bulletins
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeTimeout
from ansible_collections.rampart.fleet.plugins.module_utils.posture.evaluate import evaluate
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import Request, measure
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import params_of, probe_key
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes import kinds
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture import catalogue

from tests.recordings.amd import AmdNode
from tests.recordings.hosts import CDI_FILE, CONFIG, KERNEL_LINE, Machine, Unit, amd_host
from tests.recordings.nvidia import NvidiaNode
from tests.unit.posture.recorded_host import RecordedHost

ROOT = Path(__file__).parents[3]
CONTROLS = [
    entry.control for entry in catalogue.load([each for each in catalogue.sources(ROOT) if each.role == "gpu"]).entries
]
READ = date.fromisoformat(nvidia_bulletins.READ)


@pytest.fixture(autouse=True)
def day_of_the_bulletins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Today is the day on which the bulletins were read, so that their age is no matter of when the tests run."""
    noon = datetime(READ.year, READ.month, READ.day, 12, tzinfo=UTC).timestamp()
    monkeypatch.setattr(time, "time", lambda: noon)


def states(host: Host, mode: str = "inference") -> dict[str, str]:
    """The state of each control on a host."""
    probes = {probe_key(probe): probe for control in CONTROLS for probe in control["probes"]}
    requests = [Request(key, probe["kind"], params_of(probe), 40) for key, probe in probes.items()]
    observations = measure(host, requests, kinds(), 60)
    context = {"hostname": "gpu1", "mode": mode, "virt": "baremetal", "workload": {"gpu": ["nvidia"]}}
    return {control["id"]: evaluate(control, observations, context, (), READ).state for control in CONTROLS}


def old_machine() -> Machine:
    """GPUs before Ampere, with a driver of format 12: pages are retired, limits are told, resets have fields."""
    node = NvidiaNode().older(12)
    for path, text in {
        "gpu_reset_status/reset_required": "No",
        "gpu_reset_status/drain_and_reset_recommended": "No",
        "retired_pages/multiple_single_bit_retirement/retired_count": "2",
        "retired_pages/double_bit_retirement/retired_count": "0",
        "retired_pages/pending_retirement": "No",
        "temperature/gpu_temp_max_mem_threshold": "95 C",
    }.items():
        node.every(path, text)
    packages = {"libnvidia-compute": "535.309.01-1", "nvidia-fabricmanager": "535.309.01-1"}
    return Machine(node=node, packages=packages)


@cache
def healthy(machine: str, mode: str = "inference") -> dict[str, str]:
    return states({"new": Machine, "old": old_machine}[machine]().host(), mode)


@dataclass(frozen=True)
class Mutation:
    """One thing changed, and the controls that see it. `machine` is changed in place."""

    name: str
    change: Callable[[Machine], Any]
    controls: tuple[int, ...]
    machine: str = "new"
    mode: str = "inference"
    state: str = "fail"


def says(path: str, text: str) -> Callable[[Machine], Any]:
    return lambda machine: machine.node.one(path, text)


def every(path: str, text: str) -> Callable[[Machine], Any]:
    return lambda machine: machine.node.every(path, text)


def put(**values: Any) -> Callable[[Machine], Any]:
    return lambda machine: [setattr(machine, name, value) for name, value in values.items()]


def package(name: str, version: str) -> Callable[[Machine], Any]:
    return lambda machine: machine.packages.update({name: version})


def toolkit(old: str, new: str) -> Callable[[Machine], Any]:
    def change(machine: Machine) -> None:
        assert old in machine.toolkit
        machine.toolkit = machine.toolkit.replace(old, new)

    return change


def process(cgroup: str) -> Callable[[Machine], Any]:
    def change(machine: Machine) -> None:
        machine.node.process(3, 4711, "python")
        machine.cgroups[4711] = cgroup

    return change


def driver(version: str) -> Callable[[Machine], Any]:
    """The whole set of another version, so that only what is known of the version matters."""

    def change(machine: Machine) -> None:
        machine.node.driver = version
        machine.node.every("gsp_firmware_version", version)
        machine.packages.update({"libnvidia-compute": f"{version}-1", "nvidia-fabricmanager": f"{version}-1"})

    return change


def xid(number: int, device: str = "NVRM: Xid (PCI:0000:9b:00)", text: str = "something") -> Callable[[Machine], Any]:
    return put(xids=f"1763755200.1 gpu1 kernel: {device}: {number}, {text}\n")


SWITCH = "nvidia-nvswitch0: SXid (PCI:0000:05:00.0)"
LINK = "pci/pci_gpu_link_info/"
EVENT = "clocks_event_reasons/clocks_event_reason_"

MUTATIONS = [
    Mutation("a GPU fell off the bus", lambda machine: machine.node.gpus.pop(), (2,)),
    Mutation("a GPU of another model", says("product_name", "NVIDIA H100 80GB HBM3"), (5,)),
    Mutation("a GPU of less memory", says("fb_memory_usage/total", "16384 MiB"), (4,)),
    Mutation("another VBIOS", says("vbios_version", "96.00.89.00.01"), (6,)),
    Mutation("one GPU does not tell its memory's errors", says("ecc_errors/volatile/dram_uncorrectable", "N/A"), (7,)),
    Mutation("a display", says("display_active", "Enabled"), (8,)),
    Mutation("no persistence", says("persistence_mode", "Disabled"), (9,)),
    Mutation("no accounting", says("accounting_mode", "Disabled"), (10,)),
    Mutation(
        "ECC off since the last reset",
        lambda machine: machine.node.one("ecc_mode/current_ecc", "Disabled").one("ecc_mode/pending_ecc", "Disabled"),
        (11,),
    ),
    Mutation("ECC goes off at the next reset", says("ecc_mode/pending_ecc", "Disabled"), (12,)),
    Mutation("an uncorrectable error in memory", says("ecc_errors/volatile/dram_uncorrectable", "1"), (13,)),
    Mutation("a parity error in SRAM", says("ecc_errors/volatile/sram_uncorrectable_parity", "1"), (14,)),
    Mutation("a double error in SRAM", says("ecc_errors/volatile/sram_uncorrectable_secded", "1"), (14,)),
    Mutation("a life full of errors", says("ecc_errors/aggregate/dram_uncorrectable", "11"), (15,)),
    Mutation("SRAM over its threshold", says("ecc_errors/aggregate/sram_threshold_exceeded", "Yes"), (16,)),
    Mutation("a flood of corrected errors", says("ecc_errors/volatile/dram_correctable", "20000001"), (17,)),
    Mutation("a flood of corrected errors in SRAM", says("ecc_errors/volatile/sram_correctable", "10001"), (18,)),
    Mutation("a row waits for its replacement", says("remapped_rows/remapped_row_pending", "Yes"), (19,)),
    Mutation("a row could not be replaced", says("remapped_rows/remapped_row_failure", "Yes"), (20,)),
    Mutation(
        "a bank without a spare row",
        says("remapped_rows/row_remapper_histogram/row_remapper_histogram_none", "1 bank(s)"),
        (21,),
    ),
    Mutation("a page waits", says("retired_pages/pending_retirement", "Yes"), (22,), "old"),
    Mutation("many pages", says("retired_pages/double_bit_retirement/retired_count", "9"), (23,), "old"),
    Mutation("a channel waits for its repair", says("ecc_errors/channel_repair_pending", "Yes"), (24,)),
    Mutation("a cluster waits for its repair", says("ecc_errors/tpc_repair_pending", "Yes"), (25,)),
    Mutation("memory beyond repair", says("ecc_errors/unrepairable_memory", "Yes"), (26,)),
    Mutation("the driver asks for a reset", says("gpu_recovery_action", "GPU Reset"), (27,)),
    Mutation("an older driver asks for a reset", says("gpu_reset_status/reset_required", "Yes"), (28,), "old"),
    Mutation(
        "an older driver asks for a drain", says("gpu_reset_status/drain_and_reset_recommended", "Yes"), (29,), "old"
    ),
    Mutation("a damaged inforom", lambda machine: machine.node.inforom.__setitem__(3, "invalid"), (30,)),
    Mutation("Xid 94", xid(94), (31,)),
    Mutation("Xid 79", xid(79), (32,)),
    Mutation("Xid 74", xid(74), (33,)),
    Mutation("a fatal SXid", xid(20034, SWITCH, "Fatal, Link 30 LTSSM Fault Up"), (33,)),
    Mutation("an SXid that the switch corrected", xid(22013, SWITCH, "Non-fatal, Link 12"), ()),
    Mutation("Xid 119", xid(119), (34,)),
    Mutation("Xid 58", xid(58), (35,)),
    Mutation("an application's own Xid", xid(31), ()),
    Mutation("hardware slows down", says(EVENT + "hw_slowdown", "Active"), (36,)),
    Mutation("heat", says(EVENT + "hw_thermal_slowdown", "Active"), (37,)),
    Mutation("the driver sees heat", says(EVENT + "sw_thermal_slowdown", "Active"), (38,)),
    Mutation("a power brake", says(EVENT + "hw_power_brake_slowdown", "Active"), (39,)),
    Mutation("close to the slowdown", says("temperature/gpu_temp_tlimit", "2 C"), (40,)),
    Mutation(
        "an older GPU close to the slowdown",
        lambda machine: machine.node.one("temperature/gpu_temp_tlimit", "-1 C"),
        (40,),
        "old",
    ),
    Mutation("hot memory", says("temperature/memory_temp", "91 C"), (41,), "old"),
    Mutation("half of the lanes", says(LINK + "link_widths/current_link_width", "8x"), (42,)),
    Mutation("an old generation under load", says(LINK + "pcie_gen/current_link_gen", "3"), (43,)),
    Mutation(
        "an old generation at rest",
        lambda machine: machine.node.one(LINK + "pcie_gen/current_link_gen", "1").one("utilization/gpu_util", "0 %"),
        (),
    ),
    Mutation("a link down", lambda machine: machine.node.links_down.update({3: [17]}), (44,)),
    Mutation("no fabric yet", says("fabric/state", "In Progress"), (45,)),
    Mutation("the fabric refused", says("fabric/status", "System not initialized"), (46,)),
    Mutation("a fabric of less bandwidth", says("fabric/health/summary", "Limited Capacity"), (47,)),
    Mutation("no fabric manager now", put(fabric_manager=Unit(active="failed")), (48,)),
    Mutation("no fabric manager after a boot", put(fabric_manager=Unit(at_boot="disabled")), (48,)),
    Mutation("another module", put(module="580.126.09"), (49,)),
    Mutation("an update that waits for a boot", package("libnvidia-compute", "580.200.01-1"), (50,)),
    Mutation("firmware left over", says("gsp_firmware_version", "580.126.09"), (51,)),
    Mutation("another fabric manager", package("nvidia-fabricmanager", "580.126.09-1"), (52,)),
    Mutation("NCCL of the next CUDA", package("libnccl2", "2.30.1-1+cuda14.0"), (53,)),
    Mutation("an older NCCL", package("libnccl2", "2.27.3-1+cuda12.9"), ()),
    Mutation(
        "DCGM for the next CUDA only",
        lambda machine: [
            machine.packages.pop("datacenter-gpu-manager-4-cuda13"),
            machine.packages.update({"datacenter-gpu-manager-4-cuda14": "1:4.6.0-1"}),
        ],
        (54,),
    ),
    Mutation("nothing is held", put(held=False), (55,)),
    Mutation("a driver before the last fix", driver("580.126.09"), (56,)),
    Mutation("a branch that is out of support", driver("570.211.01"), (57,)),
    Mutation("a branch that nobody named", driver("545.29.06"), (57,)),
    Mutation("a branch newer than every bulletin", driver("600.10.01"), ()),
    Mutation("an older toolkit", package("nvidia-container-toolkit-base", "1.17.8-1"), (58,)),
    Mutation("an older DCGM", package("datacenter-gpu-manager-4-core", "1:4.4.1-1"), (59,)),
    Mutation("device files for everybody", put(device_mode="0666"), (61,)),
    Mutation("device files of another group", put(device_group=0), (62,)),
    Mutation("device files are made for everybody", lambda machine: machine.params.update(DeviceFileMode=0o666), (63,)),
    Mutation("counters for everybody", lambda machine: machine.params.update(RmProfilingAdminOnly=0), (64,)),
    Mutation("a miner in a login session", process("/user.slice/user-1000.slice/session-3.scope"), (65,)),
    Mutation("a miner as a service", process("/system.slice/cron.service"), (65,)),
    Mutation(
        "a service that has the name of another in its own", process("/system.slice/x-nvidia-dcgm.service"), (65,)
    ),
    Mutation("a pod", process("/kubepods.slice/kubepods-burstable.slice/cri-containerd-0123.scope"), ()),
    Mutation("a container", process("/system.slice/docker-0123456789abcdef.scope"), ()),
    Mutation("a job on an idle host", process("/system.slice/slurmstepd.scope/job_7"), (66,), mode="idle"),
    Mutation(
        "a job on a host in quarantine", process("/system.slice/slurmstepd.scope/job_7"), (66,), mode="quarantine"
    ),
    Mutation("a daemon as root", put(persistenced=Unit(pid=800, uid=0)), (67,)),
    Mutation("DCGM on the network", put(dcgm_listens="00000000:15B3"), (68,)),
    Mutation("MIG after the next reset", says("mig_mode/pending_mig", "Enabled"), (69,)),
    Mutation("two tenants in one context", says("compute_mode", "Default"), (70,)),
    Mutation("one process only for training", says("compute_mode", "Exclusive_Process"), (70,), mode="training"),
    Mutation(
        "confidential, for developers", lambda machine: machine.confidential.update({"-d": "DevTools Mode: ON"}), (71,)
    ),
    Mutation(
        "a state that we do not know", lambda machine: machine.confidential.update({"-f": "CC status: HALF"}), (72,)
    ),
    Mutation("images choose their GPUs", toolkit("unprivileged = false", "unprivileged = true"), (73,)),
    Mutation(
        "images choose their GPUs by default",
        toolkit("accept-nvidia-visible-devices-envvar-when-unprivileged = false\n", ""),
        (73,),
    ),
    Mutation("no control groups", toolkit("no-cgroups = false", "no-cgroups = true"), (74,)),
    Mutation("the image's ldconfig", toolkit("@/sbin", "/sbin"), (75,)),
    Mutation(
        "libraries of the image",
        toolkit(
            "[nvidia-container-cli]", "[features]\nallow-cuda-compat-libs-from-container = true\n[nvidia-container-cli]"
        ),
        (76,),
    ),
    Mutation("the legacy mode", toolkit('"cdi"', '"legacy"'), (77,)),
    Mutation("debug logs", toolkit('mode = "cdi"', 'mode = "cdi"\ndebug = "/var/log/runtime.log"'), (78,)),
    Mutation("everybody configures the toolkit", put(modes={CONFIG: ("0666", 0)}), (79,)),
    Mutation("a user owns the toolkit's file", put(modes={CONFIG: ("0644", 1000)}), (79,)),
    Mutation("everybody writes what CDI gives", put(modes={CDI_FILE: ("0666", 0)}), (80,)),
    Mutation(
        "CDI of yesterday",
        lambda machine: setattr(machine, "cdi", machine.cdi.replace("/dev/nvidia0", "/dev/nvidia9")),
        (81,),
    ),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_change_flips_the_controls_that_it_names_and_no_others(mutation: Mutation) -> None:
    machine = {"new": Machine, "old": old_machine}[mutation.machine]()
    if mutation.mode == "training":
        machine.node.every("compute_mode", "Default")
        before = states(machine.host(), "training")
    else:
        before = healthy(mutation.machine, mutation.mode)
    mutation.change(machine)
    after = states(machine.host(), mutation.mode)
    named = {f"RMP-GPU-{number:03d}" for number in mutation.controls}
    assert {name: before[name] for name in named} == dict.fromkeys(named, "pass")
    bad = {name: state for name, state in after.items() if state not in ("pass", "not_applicable")}
    assert bad == dict.fromkeys(named, mutation.state)


@pytest.mark.parametrize(
    ("machine", "mode"), [("new", "inference"), ("new", "idle"), ("new", "quarantine"), ("old", "inference")]
)
def test_a_healthy_machine_fails_nothing(machine: str, mode: str) -> None:
    found = healthy(machine, mode)
    assert {name: state for name, state in found.items() if state not in ("pass", "not_applicable")} == {}


def test_a_host_without_a_gpu_is_not_judged() -> None:
    assert set(states(RecordedHost(commands={KERNEL_LINE: "x"})).values()) == {"not_applicable"}


@pytest.mark.parametrize(
    "outcome",
    [
        NvidiaNode().xml()[:4000],
        (9, "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n", ""),
        ProbeTimeout("no answer within 30 s"),
    ],
    ids=["half an answer", "no driver", "a hang"],
)
def test_a_driver_that_does_not_answer_is_one_finding_and_nothing_else_passes_for_it(outcome: Any) -> None:
    found = states(Machine(commands={"nvidia-smi -q -x": outcome}).host())
    assert found["RMP-GPU-001"] == "fail"
    asked = [control["id"] for control in CONTROLS if any(probe["kind"] == "gpu_field" for probe in control["probes"])]
    assert {found[name] for name in asked} == {
        "error" if not isinstance(outcome, ProbeTimeout) else "unknown",
        "not_applicable",
    }


def test_a_gpu_without_its_tool_is_a_finding() -> None:
    host = replace(Machine().host(), commands={KERNEL_LINE: "x"})
    assert states(host)["RMP-GPU-001"] == "fail"


def test_fewer_gpus_than_the_site_expects_fail() -> None:
    (control,) = [control for control in CONTROLS if control["id"] == "RMP-GPU-003"]
    (probe,) = control["probes"]
    observations = measure(Machine().host(), [Request(probe_key(probe), probe["kind"])], kinds(), 60)
    context = {"hostname": "gpu1", "mode": "inference"}
    for wanted, state in ((8, "pass"), (16, "fail")):
        settings = {"RMP-GPU-003": {"min_gpus": wanted}}
        assert evaluate(control, observations, context, (), READ, settings).state == state


def test_bulletins_of_last_year_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    for days, state in ((89, "pass"), (91, "fail")):
        monkeypatch.setattr(time, "time", lambda days=days: now + days * 86_400)
        assert states(Machine().host())["RMP-GPU-060"] == state


def test_mig_hides_without_failing_and_without_passing() -> None:
    machine = Machine()
    machine.node.divided()
    machine.commands["nvidia-smi nvlink -s"] = "\n".join(
        f"GPU {number}: x (UUID: GPU-{number})\nNvlink queries are not supported for Devices in MIG mode"
        for number in range(8)
    )
    found = states(machine.host())
    hidden = {f"RMP-GPU-{number:03d}" for number in (10, 19, 20, 21, 43, 44)}
    assert {found[name] for name in hidden} == {"not_applicable"}
    assert {name: state for name, state in found.items() if state not in ("pass", "not_applicable")} == {}


def test_a_fault_of_one_gpu_is_never_a_pass() -> None:
    machine = Machine()
    machine.node.one("remapped_rows/remapped_row_pending", "Unknown Error")
    assert states(machine.host())["RMP-GPU-019"] == "error"


def lost_amd(node: AmdNode) -> None:
    del node.metric[7]


def amd_changes(path: str, value: Any, answer: str = "metric") -> Callable[[AmdNode], None]:
    def change(node: AmdNode) -> None:
        part, name = path.split(".")
        getattr(node, answer)[3][part][name] = value

    return change


@pytest.mark.parametrize(
    ("change", "number"),
    [
        (amd_changes("ecc.total_uncorrectable_count", 1), 83),
        (amd_changes("pcie.width", 8), 84),
        (amd_changes("temperature.hotspot", {"value": 97, "unit": "C"}), 85),
        (amd_changes("vbios.version", "022.040.003.042", "static"), 86),
    ],
)
def test_amd_controls_can_fail(change: Callable[[AmdNode], None], number: int) -> None:
    before = states(amd_host(AmdNode()))
    node = AmdNode()
    change(node)
    after = states(amd_host(node))
    assert before[f"RMP-GPU-{number:03d}"] == "pass"
    assert {name for name in after if after[name] != before[name]} == {f"RMP-GPU-{number:03d}"}
    assert after[f"RMP-GPU-{number:03d}"] == "fail"


def test_an_amd_driver_that_does_not_answer_is_a_finding() -> None:
    node = AmdNode()
    lost_amd(node)
    assert states(amd_host(AmdNode()))["RMP-GPU-082"] == "pass"
    assert states(amd_host(node))["RMP-GPU-082"] == "fail"


def test_device_files_of_amd_gpus() -> None:
    assert states(amd_host(AmdNode()))["RMP-GPU-087"] == "pass"
    assert states(amd_host(AmdNode(), mode="0666"))["RMP-GPU-087"] == "fail"


#: Controls that a test of their own breaks
BY_ITSELF = {1, 3, 60, 82, 83, 84, 85, 86, 87}


def test_every_control_is_broken_by_something() -> None:
    broken = {number for mutation in MUTATIONS for number in mutation.controls} | BY_ITSELF
    assert {control["id"] for control in CONTROLS} == {f"RMP-GPU-{number:03d}" for number in broken}
