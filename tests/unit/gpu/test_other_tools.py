# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""amd-smi, the vendor's diagnostics, the kernel's log, and what the kernel module says of itself."""

from __future__ import annotations

import json

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.amd_smi import parse_amd_smi
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.confidential import parse_conf_compute
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.dcgm import parse_diag
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.proc_driver import (
    is_open_module,
    parse_params,
    parse_version,
)
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.values import ParseError, Unavailable
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.xid import parse_xids
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.xid_classes import CLASSES, class_of

from tests.recordings.amd import AmdNode


@pytest.mark.parametrize("wrapped", [False, True], ids=["rocm6", "rocm7"])
def test_amd_gpus(wrapped: bool) -> None:
    node = AmdNode(wrapped=wrapped)
    found = parse_amd_smi(node.static_json(), node.metric_json())
    assert [gpu.index for gpu in found] == list(range(8))
    assert (found[0].product, found[0].memory_total_mb) == ("AMD Instinct MI300X", 196592)
    assert (found[0].lanes_missing, found[0].below_slowdown_c, found[0].power_w) == (0, 39, 601.0)
    assert (found[0].ecc_uncorrectable, found[0].utilization_percent) == (0, 93)


def test_what_amd_smi_does_not_say_is_never_zero() -> None:
    node = AmdNode()
    node.metric[2]["ecc"] = "N/A"
    node.metric[3]["pcie"]["width"] = "N/A"
    del node.metric[4]["temperature"]["hotspot"]
    node.metric[5]["ecc"]["total_uncorrectable_count"] = None
    found = parse_amd_smi(node.static_json(), node.metric_json())
    assert found[2].ecc_uncorrectable == Unavailable("not_supported", "N/A")
    assert found[3].lanes_missing == Unavailable("not_supported", "N/A")
    assert found[4].below_slowdown_c == found[5].ecc_uncorrectable == Unavailable("not_reported")


def test_a_gpu_that_one_of_two_answers_lacks_is_a_finding() -> None:
    node = AmdNode()
    del node.metric[7]
    with pytest.raises(ParseError, match="one was lost"):
        parse_amd_smi(node.static_json(), node.metric_json())


@pytest.mark.parametrize("text", ["", "[", "{}", "null", '[{"gpu": "0"}]', "[" * 200_000])
def test_what_amd_smi_does_not_print_is_refused(text: str) -> None:
    with pytest.raises(ParseError, match="amd-smi static --json"):
        parse_amd_smi(text, "[]")


def diagnosis(*results: dict[str, object]) -> str:
    tests = [{"name": "memory", "results": list(results), "test_summary": {"status": "Pass"}}]
    categories = [{"category": "Hardware", "tests": tests}]
    about = {"version": "4.5.3", "Driver Version Detected": "580.159.03"}
    return json.dumps({"DCGM Diagnostic": {"test_categories": categories}, "metadata": about})


def test_a_diagnosis() -> None:
    found = parse_diag(diagnosis({"entity_group": "GPU", "entity_id": 0, "status": "Pass"}, {"status": "Skip"}))
    assert found.passed and (found.version, found.driver) == ("4.5.3", "580.159.03")
    assert [(each.test, each.gpu, each.state) for each in found.results] == [
        ("memory", "0", "pass"),
        ("memory", "", "skip"),
    ]


def test_a_failed_test_says_why() -> None:
    warning = {"warning": "Page retirements pending", "error_id": 29}
    found = parse_diag(diagnosis({"gpu_id": "3", "status": "Fail", "warnings": [warning]}, {"status": "Pass"}))
    assert not found.passed
    assert found.in_state("fail")[0].notes == ("Page retirements pending",)


def test_a_run_that_skipped_everything_has_not_passed() -> None:
    assert not parse_diag(diagnosis({"status": "Skip"})).passed


@pytest.mark.parametrize(
    "text",
    ["", "Error: unable to establish a connection", "{", "{}", "[1]", diagnosis({"status": "Perhaps"}), "{" * 100_000],
)
def test_what_is_no_diagnosis_is_refused(text: str) -> None:
    with pytest.raises(ParseError, match="dcgmi diag"):
        parse_diag(text)


LOG = """\
1763755200.123456 gpu1 kernel: NVRM: Xid (PCI:0000:9b:00): 79, pid='<unknown>', GPU has fallen off the bus.
[Sun Nov 16 09:00:00 2025] NVRM: Xid (PCI:0000:1b:00): 31, pid=4711, name=python, Ch 00000008, MMU Fault
[  12.345678] nvidia-nvswitch0: SXid (PCI:0000:05:00.0): 20034, Fatal, Link 30 LTSSM Fault Up
nvidia-nvswitch0: SXid (PCI:0000:05:00.0): 22013, Non-fatal, Link 12 DLREQ interrupt
NVRM: GPU at PCI:0000:9b:00: GPU-00000000-0000-0000-0000-000000000000
"""


def test_reports_of_the_kernel() -> None:
    found = parse_xids(LOG.splitlines())
    assert [(each.number, each.device, each.category) for each in found] == [
        (79, "0000:9b:00", "bus"),
        (31, "0000:1b:00", "application"),
        (20034, "0000:05:00.0", "nvlink"),
        (22013, "0000:05:00.0", "corrected"),
    ]
    assert (found[0].at, found[1].at) == (1763755200.123456, None)


def test_a_number_is_in_one_class() -> None:
    numbers = [number for members in CLASSES.values() for number in members]
    assert len(numbers) == len(set(numbers))
    assert [class_of(number) for number in (13, 48, 74, 79, 119)] == [
        "application",
        "memory",
        "nvlink",
        "bus",
        "firmware",
    ]


def test_what_azure_takes_nodes_out_of_service_for_is_in_a_class() -> None:
    listed = (48, 56, 57, 58, 62, 63, 64, 65, 68, 69, 73, 74, 79, 80, 81, 92, 119, 120)
    assert [number for number in listed if class_of(number) == "application"] == []


CLOSED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.159.03  Tue May  5 00:00:00 UTC 2026\nGCC version: 12\n"
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.03  Release Build  (builder)  Tue May 5\n"


def test_the_version_of_the_module() -> None:
    assert parse_version(CLOSED) == parse_version(OPEN) == "580.159.03"
    assert (is_open_module(CLOSED), is_open_module(OPEN)) == (False, True)
    with pytest.raises(ParseError, match="names no version"):
        parse_version("GCC version: 12.2.0\n")


def test_the_parameters_of_the_module() -> None:
    found = parse_params('DeviceFileMode: 432\nRmProfilingAdminOnly: 1\nRegistryDwords: ""\nGpuBlacklist: "x"\n')
    assert found == {"DeviceFileMode": 432, "RmProfilingAdminOnly": 1, "RegistryDwords": "", "GpuBlacklist": "x"}
    with pytest.raises(ParseError, match="line 2"):
        parse_params("DeviceFileMode: 432\nno parameter\n")


def test_confidential_computing() -> None:
    assert parse_conf_compute("CC status: ON\n") == "on"
    assert parse_conf_compute("DevTools Mode: OFF\n") == "off"
    with pytest.raises(ParseError, match="names no state"):
        parse_conf_compute("No CC capable devices found.\n")
