# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A host's tools are asked once and within their time; what goes wrong is told, and no GPU is no failure."""

from __future__ import annotations

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.ask import (
    diagnose,
    inforom_checksums,
    lost_on_bus,
    smi_log,
    xid_events,
)
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.gather import gather
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import (
    Absent,
    ProbeError,
    ProbeTimeout,
    ToolMissing,
)

from tests.recordings.amd import AmdNode
from tests.recordings.hosts import KERNEL_LINE, Machine, amd_host
from tests.recordings.nvidia import NvidiaNode
from tests.unit.posture.recorded_host import RecordedHost

SMI = "nvidia-smi -q -x"


def test_everything_of_a_host_is_gathered_with_each_tool_asked_once() -> None:
    host = Machine().host()
    found = gather(host, 24, diagnostics=False)
    assert found["amd"] is None
    node = found["nvidia"]
    assert (node["driver"], node["cuda"], len(node["gpus"]), node["lost"]) == ("580.159.03", "13.0", 8, [])
    assert node["gpus"][0]["inforom_checksum"] == "valid"
    assert node["kernel_module"]["params"]["RmProfilingAdminOnly"] == 1
    assert len(node["nvlinks"][7]["links"]) == 18
    assert node["xids"] == []
    smi_log(host), lost_on_bus(host), inforom_checksums(host)
    assert [line for line in host.asked if line.startswith("nvidia-smi")] == [
        SMI,
        "nvidia-smi --query-gpu=pci.bus_id,inforom.checksum_validation --format=csv",
        "nvidia-smi nvlink -s",
    ]


def test_a_host_without_a_gpu_is_no_failure() -> None:
    host = RecordedHost()
    assert gather(host, 24, diagnostics=False) == {"nvidia": None, "amd": None}
    with pytest.raises(Absent, match="no NVIDIA GPU"):
        smi_log(host)


@pytest.mark.parametrize(
    ("outcome", "raises", "says"),
    [
        (NvidiaNode().xml()[:5000], ProbeError, "it is not whole"),
        ((18, "Failed to initialize NVML: Driver/library version mismatch\n", ""), ProbeError, "version mismatch"),
        ((9, "", ""), ProbeError, "ended with status 9, wanted 0; it said: nothing"),
        (ProbeTimeout("no answer within 30 s"), ProbeTimeout, "no answer"),
    ],
)
def test_a_tool_that_does_not_answer_is_a_failure_that_says_so(
    outcome: str | tuple[int, str, str] | Exception, raises: type[Exception], says: str
) -> None:
    host = Machine(commands={SMI: outcome}).host()
    with pytest.raises(raises, match=says):
        gather(host, 24, diagnostics=False)


def test_a_gpu_without_its_tool_is_a_failure() -> None:
    with pytest.raises(ToolMissing, match="'nvidia-smi' is not installed"):
        smi_log(RecordedHost(files={"/dev/nvidiactl": ""}))


def test_a_gpu_that_fell_off_the_bus_is_named() -> None:
    machine = Machine()
    assert lost_on_bus(machine.host()) == []
    del machine.node.gpus[7]
    assert lost_on_bus(machine.host()) == ["0000:ce:00.0"]


def test_an_older_driver_does_not_know_the_checksum() -> None:
    said = (2, 'Field "inforom.checksum_validation" is not a valid field to query.\n', "")
    query = "nvidia-smi --query-gpu=pci.bus_id,inforom.checksum_validation --format=csv"
    found = gather(Machine(commands={query: said}).host(), 24, diagnostics=False)
    assert found["nvidia"]["gpus"][0]["inforom_checksum"] == {"unavailable": "not_reported", "text": ""}


def test_reports_are_those_of_the_hours_asked_for() -> None:
    line = "1763755200.1 h kernel: NVRM: Xid (PCI:0000:9b:00): 79, GPU has fallen off the bus.\n"
    (event,) = xid_events(Machine(xids=line).host(), 24)
    assert (event.number, event.category) == (79, "bus")


def test_a_journal_without_the_kernel_is_no_journal_without_errors() -> None:
    with pytest.raises(ProbeError, match="no message of the kernel"):
        xid_events(Machine(commands={KERNEL_LINE: ""}).host(), 24)
    found = gather(Machine(commands={KERNEL_LINE: ""}).host(), 24, diagnostics=False)
    assert found["nvidia"]["xids"]["unavailable"] == "error"


def test_diagnostics_that_fail_are_an_answer() -> None:
    text = '{"DCGM Diagnostic": {"test_categories": [{"tests": [{"name": "a", "results": [{"status": "Fail"}]}]}]}}'
    host = RecordedHost(commands={"dcgmi diag -r 1 -j": (226, text, "")})
    assert not diagnose(host, 1, 10).passed


def test_amd_gpus_are_gathered() -> None:
    found = gather(amd_host(AmdNode()), 24, diagnostics=False)
    assert found["nvidia"] is None
    assert found["amd"]["gpus"][7]["memory_total_mb"] == 196592


def test_the_tool_of_rocm_is_found_where_its_packages_put_it() -> None:
    node = AmdNode()
    answers = {"static": node.static_json(), "metric": node.metric_json()}
    host = RecordedHost(
        files={"/dev/kfd": ""},
        commands={f"/opt/rocm/bin/amd-smi {name} --json": answer for name, answer in answers.items()},
    )
    assert len(gather(host, 24, diagnostics=False)["amd"]["gpus"]) == 8


def test_a_damaged_inforom_is_no_reason_to_see_nothing() -> None:
    machine = Machine()
    machine.node.inforom[3] = "invalid"
    warning = "WARNING: infoROM is corrupted at gpu 0000:4E:00.0\n"
    query = "nvidia-smi --query-gpu=pci.bus_id,inforom.checksum_validation --format=csv"
    machine.commands = {SMI: (14, machine.node.xml() + warning, ""), query: (14, machine.node.inforom_csv(), "")}
    found = gather(machine.host(), 24, diagnostics=False)["nvidia"]
    assert found["notes"] == [warning.strip()]
    assert found["gpus"][3]["inforom_checksum"] == "invalid"
