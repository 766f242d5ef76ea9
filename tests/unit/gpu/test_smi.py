# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What nvidia-smi prints becomes typed facts: three formats, the fields that say nothing, and what is no answer."""

from __future__ import annotations

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.facts import Gpu
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.nvlink import parse_nvlink
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.smi_csv import parse_query_csv
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.smi_xml import parse_smi_xml
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.values import ParseError, Unavailable, plain

from tests.recordings.nvidia import NvidiaNode


def gpu(node: NvidiaNode, number: int = 3) -> Gpu:
    return parse_smi_xml(node.xml().encode()).gpus[number]


@pytest.mark.parametrize("dtd", [11, 12, 13])
def test_each_format_tells_the_same_of_what_all_have(dtd: int) -> None:
    node = NvidiaNode() if dtd == 13 else NvidiaNode().older(dtd)
    log = parse_smi_xml(node.xml().encode())
    assert (log.dtd, log.driver, len(log.gpus)) == (dtd, node.driver, 8)
    one = log.gpus[0]
    assert one.bus_id == "00000000:1B:00.0"
    assert one.memory_total_mib == 143771
    assert (one.pcie.lanes, one.pcie.lanes_missing, one.generations_missing_under_load) == (16, 0, 0)
    assert (one.power.draw_w, one.power.limit_w) == (612.4, 700.0)
    assert (one.ecc.enabled, one.ecc.change_pending, one.ecc.volatile_sram_uncorrectable) == (True, False, 0)
    assert (one.clock_events.hw_slowdown, one.clock_events.hw_power_brake) == (False, False)
    assert (one.remapped_rows.pending, one.remapped_rows.banks_without_spare) == (False, 0)
    assert one.temperature.below_slowdown_c == 31


def test_what_a_format_does_not_have_is_not_reported() -> None:
    old = gpu(NvidiaNode().older(11))
    assert old.fabric.state == Unavailable("not_reported")
    assert old.recovery_action == Unavailable("not_reported")
    assert old.ecc.sram_threshold_exceeded == Unavailable("not_reported")


def test_none_is_a_word_where_the_driver_says_so() -> None:
    assert gpu(NvidiaNode()).recovery_action == "None"


def test_mig_hides_remapped_rows_and_is_named_as_the_reason() -> None:
    hidden = gpu(NvidiaNode().divided())
    assert hidden.remapped_rows.pending == Unavailable("mig", "N/A")
    assert hidden.utilization_percent == Unavailable("mig", "N/A")
    assert hidden.retired_pages.pending == Unavailable("not_supported", "N/A")
    assert hidden.generations_missing_under_load == Unavailable("mig", "N/A")


def test_a_deprecated_function_is_no_value() -> None:
    clock = gpu(NvidiaNode()).application_clock_mhz
    assert isinstance(clock, Unavailable) and clock.reason == "deprecated"


@pytest.mark.parametrize("text", ["Unknown Error", "[Unknown Error]", "[GPU requires reset]", "GPU is lost", "ERR!"])
def test_a_fault_of_the_driver_is_a_fault(text: str) -> None:
    found = gpu(NvidiaNode().one("ecc_mode/current_ecc", text)).ecc.enabled
    assert isinstance(found, Unavailable) and found.reason == "error" and found.is_fault


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("ecc_mode/current_ecc", "Perhaps"),
        ("fb_memory_usage/total", "140 GiB"),
        ("ecc_errors/volatile/dram_uncorrectable", "-1"),
        ("fb_memory_usage/total", "10.5 MiB"),
    ],
)
def test_what_has_no_meaning_is_neither_zero_nor_an_error_of_all(path: str, text: str) -> None:
    found = gpu(NvidiaNode().one(path, text))
    values = [found.ecc.enabled, found.memory_total_mib, found.ecc.volatile_dram_uncorrectable]
    assert Unavailable("not_understood", text) in values
    assert found.vbios == "96.00.A5.00.03"


def test_an_idle_gpu_says_nothing_about_its_generation() -> None:
    node = NvidiaNode().one("pci/pci_gpu_link_info/pcie_gen/current_link_gen", "1")
    assert gpu(node).generations_missing_under_load == 4
    idle = gpu(node.one("utilization/gpu_util", "0 %")).generations_missing_under_load
    assert isinstance(idle, Unavailable) and idle.reason == "idle"


def test_the_margin_of_older_gpus_is_taken_from_their_limit() -> None:
    node = NvidiaNode().one("temperature/gpu_temp_tlimit", "N/A").one("temperature/gpu_temp_slow_threshold", "89 C")
    assert gpu(node).temperature.below_slowdown_c == 31


def test_processes_and_instances() -> None:
    found = gpu(NvidiaNode().process(3, 4711, "/opt/Error, and more/python"))
    assert [(each.pid, each.kind, each.name) for each in found.processes] == [
        (4711, "C", "/opt/Error, and more/python")
    ]


def test_what_is_printed_around_the_document_is_kept() -> None:
    text = "WARNING: something\n" + NvidiaNode().xml() + "WARNING: infoROM is corrupted at gpu 0000:1B:00.0\n"
    log = parse_smi_xml(text.encode())
    assert log.notes == ("WARNING: something", "WARNING: infoROM is corrupted at gpu 0000:1B:00.0")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "nothing was printed"),
        (b"No devices were found\n", "no XML was printed, but 'No devices were found'"),
        (NvidiaNode().xml().encode()[:9000], "it is not whole"),
        (b'<?xml version="1.0"?><a></nvidia_smi_log>', "mismatched tag"),
        (b'<?xml version="1.0"?><nvidia_smi_log></nvidia_smi_log>', "DOCTYPE"),
        (NvidiaNode().xml().replace(' id="00000000:45:00.0"', "").encode(), "<gpu> number 3 has no id"),
        (NvidiaNode().xml().replace("_v13.dtd", "_v9.dtd").encode(), "format 9 is older"),
    ],
)
def test_what_is_no_answer_is_refused_with_a_reason(data: bytes, says: str) -> None:
    with pytest.raises(ParseError, match=says):
        parse_smi_xml(data)


BOMB = """<?xml version="1.0"?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v13.dtd" [
 <!ENTITY a "aaaaaaaaaa"> <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
]>
<nvidia_smi_log><driver_version>&b;</driver_version></nvidia_smi_log>"""
FILE = BOMB.replace('<!ENTITY a "aaaaaaaaaa">', '<!ENTITY a SYSTEM "file:///etc/passwd">')
UNDECLARED = (
    '<?xml version="1.0"?><!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v13.dtd"><nvidia_smi_log>&a;</nvidia_smi_log>'
)


@pytest.mark.parametrize("text", [BOMB, FILE, UNDECLARED, BOMB.replace('SYSTEM "nvsmi_device_v13.dtd"', "")])
def test_entities_are_refused(text: str) -> None:
    with pytest.raises(ParseError, match=r"refused|undefined entity"):
        parse_smi_xml(text.encode())


CSV = "\n".join(
    ", ".join(cells)
    for cells in zip(
        ("pci.bus_id", "00000000:1B:00.0", "00000000:29:00.0"),
        ("name", "NVIDIA H200", "NVIDIA H200"),
        ("ecc.mode.current", "Enabled", "Disabled"),
        ("remapped_rows.pending", "No", "[N/A]"),
        ("memory.total [MiB]", "143771 MiB", "143771"),
        ("clocks_throttle_reasons.hw_slowdown", "Not Active", "Active"),
        ("mig.mode.current", "Disabled", "Enabled"),
        ("inforom.checksum_validation", "valid", "invalid"),
        ("pcie.link.width.current", "16", "8"),
        ("clocks.applications.graphics [MHz]", "[Requested functionality has been deprecated]", "[N/A]"),
        strict=True,
    )
)


def test_a_query_becomes_the_same_facts() -> None:
    first, second = parse_query_csv(CSV)
    assert (first.ecc.enabled, first.remapped_rows.pending, first.memory_total_mib) == (True, False, 143771)
    assert (first.inforom_checksum, first.clock_events.hw_slowdown, first.pcie.lanes) == ("valid", False, 16)
    assert (second.ecc.enabled, second.clock_events.hw_slowdown, second.memory_total_mib) == (False, True, 143771)
    assert second.remapped_rows.pending == Unavailable("mig", "[N/A]")
    assert first.vbios == Unavailable("not_reported")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "nothing was printed"),
        ('Field "x" is not a valid field to query.', "wanted names of columns"),
        ("pci.bus_id, name\n00000000:1B:00.0\n", "line 2 has 1 values, wanted 2"),
        ("pci.bus_id, name\n, x\n", "line 2 has no pci.bus_id"),
    ],
)
def test_what_is_no_table_is_refused(text: str, says: str) -> None:
    with pytest.raises(ParseError, match=says):
        parse_query_csv(text)


def test_links() -> None:
    node = NvidiaNode()
    node.links_down = {2: [4, 17]}
    found = parse_nvlink(node.nvlink())
    assert [each.inactive for each in found] == [(), (), (4, 17), (), (), (), (), ()]
    assert found[0].links[0].speed_gb_s == 26.562  # type: ignore[index,union-attr]


def test_a_gpu_without_links_and_one_whose_links_are_all_dead_are_told_apart() -> None:
    head = "GPU 0: NVIDIA L40S (UUID: GPU-0)\n"
    without = parse_nvlink(head + "Device does not have or support Nvlink\n")
    dead = parse_nvlink(head + "NVML: Unable to retrieve NVLink information as all links are inactive\n")
    assert (without[0].links.reason, dead[0].links.reason) == ("not_supported", "error")  # type: ignore[union-attr]


def test_what_is_no_list_of_links_is_refused() -> None:
    with pytest.raises(ParseError, match="line 1 is 'command not found'"):
        parse_nvlink("command not found\n")


def test_facts_as_json_say_why_something_is_missing() -> None:
    told = plain(gpu(NvidiaNode().divided()))
    assert told["remapped_rows"]["pending"] == {"unavailable": "mig", "text": "N/A"}
    assert told["ecc"]["enabled"] is True
