# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Parsers of what firmware, kernel and tools say: the formats as they are, and any bytes at all."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.hardware import (
    bmc,
    host_security,
    memory,
    network,
    pci,
    processor,
    smbios,
    storage,
)
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.microcode_floors import FLOORS, floor_of
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError
from hypothesis import given
from hypothesis import strategies as st

from . import machine as parts

TABLE = parts.tables([parts.module("A1", 64), parts.module("A2", 0), parts.module("A3", 16, total=64, detail=0x4080)])


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(["HsiLevel", "Flags", "AppstreamId", "avail_spare"]), inner)


class TestSmbios:
    def test_modules_that_are_plugged_in(self) -> None:
        large, small = smbios.memory_modules(TABLE)
        assert (large.slot, large.size_bytes, large.type) == ("A1", 64 << 30, "DDR5")
        assert (large.registered, large.ecc, large.rated_mts, large.configured_mts) == (True, True, 4800, 4800)
        assert (small.slot, small.size_bytes, small.registered, small.ecc) == ("A3", 16 << 30, False, False)

    def test_arrays_and_controller(self) -> None:
        assert smbios.error_correction(TABLE) == ("multi-bit",)
        assert smbios.management_interface(TABLE) == "KCS"
        assert smbios.management_interface(parts.tables([], controller=False)) is None

    def test_a_module_of_an_old_firmware_is_short_and_counts_in_kilobytes(self) -> None:
        body = bytearray(0x15)
        struct.pack_into("<BBH", body, 0, 17, len(body), 0x1100)
        struct.pack_into("<HHH", body, 8, 72, 64, 0x8000 | 512)
        (module,) = smbios.memory_modules(bytes(body) + b"\0\0")
        assert (module.size_bytes, module.ecc, module.slot) == (512 << 10, True, "")
        assert (module.rated_mts, module.configured_mts) == (None, None)

    @pytest.mark.parametrize("end", [3, 30, len(TABLE) - 7])
    def test_a_table_that_ends_in_the_middle_is_an_error(self, end: int) -> None:
        with pytest.raises(ProbeError, match="SMBIOS"):
            smbios.memory_modules(TABLE[:end])

    def test_what_stands_behind_the_end_is_not_read(self) -> None:
        assert smbios.memory_modules(TABLE + b"\xff" * 9) == smbios.memory_modules(TABLE)

    @given(st.binary(max_size=400))
    def test_any_bytes(self, table: bytes) -> None:
        result_or_error(lambda: (smbios.memory_modules(table), smbios.error_correction(table)))

    @given(st.integers(0, len(TABLE) - 1), st.integers(0, 255))
    def test_any_damage(self, place: int, value: int) -> None:
        damaged = TABLE[:place] + bytes([value]) + TABLE[place + 1 :]
        result_or_error(lambda: (smbios.memory_modules(damaged), smbios.management_interface(damaged)))


class TestAcs:
    @pytest.mark.parametrize(
        ("control", "redirects"), [(0x1D, True), (0x04, True), (0x20, True), (0x11, False), (0, False)]
    )
    def test_what_sends_traffic_up(self, control: int, redirects: bool) -> None:
        assert pci.acs_redirects(parts.acs(control)) is redirects

    def test_a_bridge_that_cannot(self) -> None:
        assert pci.acs_redirects(b"\0" * 256) is None
        assert pci.acs_redirects(b"\0" * 4096) is None

    def test_a_part_of_the_space_is_no_answer(self) -> None:
        with pytest.raises(ProbeError, match=r"64 bytes .* be root"):
            pci.acs_redirects(parts.acs(0x1D)[:64])

    def test_capabilities_in_a_circle_end(self) -> None:
        space = bytearray(4096)
        struct.pack_into("<I", space, 0x100, 0x0003 | 1 << 16 | 0x100 << 20)
        assert pci.acs_redirects(bytes(space)) is None

    @given(st.binary(max_size=512).map(lambda tail: b"\0" * 256 + tail))
    def test_any_bytes(self, space: bytes) -> None:
        assert pci.acs_redirects(space) in (True, False, None)


class TestMdstat:
    def test_a_healthy_machine(self) -> None:
        large, small = storage.parse_mdstat(parts.MDSTAT)
        assert (large.name, large.level, large.working, large.wanted) == ("md1", "raid10", 6, 6)
        assert (small.members, small.size_bytes) == (("nvme0n1p2", "nvme1n1p2"), 936000000 * 1024)
        assert not large.degraded and not small.degraded

    def test_a_rebuild_with_a_spare(self) -> None:
        text = (
            "md0 : active (auto-read-only) raid5 sdd1[3](S) sdc1[2](F) sdb1[1] sda1[0]\n"
            "      1953260544 blocks super 1.2 level 5, 512k chunk, algorithm 2 [3/2] [UU_]\n"
            "      [=>...................]  recovery =  8.3% (81158144/976630272) finish=73.1min speed=203976K/sec\n"
        )
        (array,) = storage.parse_mdstat(text)
        assert (array.state, array.failed, array.busy_with, array.degraded) == (
            "active auto-read-only", ("sdc1",), "recovery", True,
        )  # fmt: skip

    def test_no_array(self) -> None:
        assert storage.parse_mdstat("Personalities : \nunused devices: <none>\n") == ()

    @pytest.mark.parametrize(
        ("member", "disk"),
        [("nvme0n1p2", "nvme0n1"), ("nvme10n1", "nvme10n1"), ("sda1", "sda"), ("sdab", "sdab"), ("dm-3", "dm-3")],
    )
    def test_the_disk_of_a_member(self, member: str, disk: str) -> None:
        assert storage.disk_of(member) == disk

    @given(st.text(alphabet="md0 :activeraid1()[]/_U\n%=F", max_size=200))
    def test_any_text(self, text: str) -> None:
        result_or_error(lambda: storage.parse_mdstat(text))


class TestNvme:
    def test_the_warning_in_parts(self) -> None:
        log = {**json.loads(parts.HEALTH), "critical_warning": {"value": 4, "reliability_degraded": 1}}
        assert storage.parse_health(json.dumps(log))["critical_warning"] == 4

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"critical_warning":true}', "[" * 100000, parts.HEALTH[:-5]])
    def test_half_an_answer_is_an_error(self, text: str) -> None:
        with pytest.raises(ProbeError, match="nvme smart-log"):
            storage.parse_health(text)


class TestProcessor:
    def test_sockets_cores_and_threads(self) -> None:
        found = processor.parse(parts.cpuinfo(), "", 2)
        assert (found.sockets, found.cores, found.threads, found.signature) == (2, 96, 192, "06-8f-08")

    def test_an_architecture_that_does_not_say(self) -> None:
        with pytest.raises(ProbeError, match="no processor of x86"):
            processor.parse("processor\t: 0\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\n\n")

    @given(st.text(max_size=300))
    def test_any_text(self, text: str) -> None:
        result_or_error(lambda: processor.parse(f"processor\t: 0\nvendor_id\t: {text}"))

    def test_floors_are_found_by_branch(self) -> None:
        assert floor_of("06-8f-08", 0x2B000650) is not floor_of("06-8f-08", 0x2C000401)
        assert floor_of("19-11-01", 0x0A101140) == next(each for each in FLOORS if each.signature == "19-11-01")
        assert floor_of("1a-02-01", 0x0B002151) is None
        assert all(floor_of(each.signature, each.revision) is each and each.source for each in FLOORS)


class TestMemory:
    def test_meminfo_without_a_total(self) -> None:
        with pytest.raises(ProbeError, match="MemTotal"):
            memory.kernel_bytes("MemFree: 1 kB\n")


class TestManagement:
    @pytest.mark.parametrize(
        ("suites", "privileges", "offered"),
        [
            ("0,1,2,3", "XuuaXXXXXXXXXXX", False),
            ("0,1,2,3,17", "aaaaXXXXXXXXXXX", True),
            ("1,2,3,6,7,8,11,12,0", "aaaaXXaaaXXaaXX", True),
            ("1,2,3,6,7,8,11,12,0", "XaaaXXaaXXXaaXX", False),
            ("3,17", "aXXXXXXXXXXXXXX", False),
            ("0,1,2,3", "Not Available", True),
            ("", "", None),
            ("None", "XXXXXXXXXXXXXXX", None),
        ],
    )
    def test_cipher_zero(self, suites: str, privileges: str, offered: bool | None) -> None:
        assert bmc.cipher_zero(suites, privileges) is offered

    def test_what_is_in_force_counts_and_not_what_comes_later(self) -> None:
        info = parts.CHANNEL.replace("disabled\n  Non", "always available\n  Non")
        assert bmc.parse_channel(1, info, parts.LAN).access == "always available"

    def test_a_serial_channel_is_no_network(self) -> None:
        assert bmc.is_network(parts.CHANNEL)
        assert not bmc.is_network(parts.CHANNEL.replace("802.3 LAN", "IPMB (I2C)"))

    @given(st.text(max_size=200), st.text(max_size=200))
    def test_any_text(self, info: str, lan: str) -> None:
        result_or_error(lambda: bmc.parse_channel(1, info, lan))
        result_or_error(lambda: bmc.parse_channel(1, parts.CHANNEL, f"RMCP+ Cipher Suites : {lan}"))


class TestHostSecurity:
    def test_the_lowest_failure_sets_the_level(self) -> None:
        assert host_security.parse(parts.SECURITY)["level"] == 3
        failed = parts.SECURITY.replace('"enabled", "Flags": ["success"]', '"not-enabled", "Flags": []')
        found = host_security.parse(failed)
        assert (found["level"], found["failed"][0]["name"]) == (0, "org.fwupd.hsi.Uefi.SecureBoot")

    @given(
        st.recursive(st.none() | st.integers() | st.text(max_size=9), lambda inner: st.lists(inner) | objects(inner))
    )
    def test_any_json(self, value: Any) -> None:
        result_or_error(lambda: host_security.parse(json.dumps(value)))
        result_or_error(lambda: host_security.parse(json.dumps({"HostSecurityAttributes": value})))
        result_or_error(lambda: host_security.parse(json.dumps({"HostSecurityAttributes": [{"HsiLevel": value}]})))
        both = {"HsiLevel": 1, "Flags": value}
        result_or_error(lambda: host_security.parse(json.dumps({"HostSecurityAttributes": [both]})))
        result_or_error(lambda: storage.parse_health(json.dumps(value)))


@pytest.mark.parametrize(("text", "gbps"), [("400 Gb/sec (4X NDR)", 400.0), ("2.5 Gb/sec (1X SDR)", 2.5), ("", None)])
def test_the_rate_of_a_port(text: str, gbps: float | None) -> None:
    assert network.rate(text) == gbps


def result_or_error(ask: Any) -> None:
    """Whatever it is given, a parser answers, or says in our terms why it cannot."""
    try:
        ask()
    except ProbeError as error:
        assert str(error)
