# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The command lines of virtual machines: acceleration, firmware, TPM, rails, isolation, snapshots."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

from rampart.lab import plan, qemu_image, topology
from rampart.lab.plan import HostPlan, LabPlan
from rampart.lab.qemu_files import Files, Sockets, machine
from rampart.lab.qemu_machine import RAIL_SLOT, Machine, command

_SOCKETS = Sockets(Path("/s"))


def _plan(rails: int = 0, **host: object) -> LabPlan:
    data = {"rails": rails, "hosts": {"one": {"mode": "training", **host}, "two": {"mode": "training"}}}
    return plan.make(topology.parse(data, "t", "t.yml"), "lab1", "qemu", "12")


def _machine(lab: LabPlan, host: HostPlan | None = None, accel: str = "tcg") -> Machine:
    host = host or lab.hosts[0]
    return machine(lab, host, Files(Path("/l") / host.name), _SOCKETS, Path("/image"), Path("/repo"), accel)


def _values(words: list[str], option: str) -> list[str]:
    return [value for word, value in itertools.pairwise(words) if word == option]


def _devices(words: list[str], driver: str) -> list[dict[str, str]]:
    found = [value.split(",") for value in _values(words, "-device") if value.split(",")[0] == driver]
    return [dict(item.split("=", 1) for item in parts[1:]) for parts in found]


def test_without_kvm_all_processors_are_emulated_in_threads() -> None:
    words = command(_machine(_plan(cpus=3, memory_mib=2048)))
    assert _values(words, "-accel") == ["tcg,thread=multi,tb-size=256"]
    assert _values(words, "-cpu") == ["max,la57=off,erms=off,fsrm=off"]
    assert (_values(words, "-smp"), _values(words, "-m")) == (["3"], ["2048M"])
    assert "systemd.default_timeout_start_sec=" in _values(words, "-append")[0]


def test_with_kvm_the_guest_sees_the_real_processor_and_ordinary_timeouts() -> None:
    words = command(_machine(_plan(), accel="kvm"))
    assert _values(words, "-accel") == ["kvm"]
    assert _values(words, "-cpu") == ["host"]
    assert "timeout" not in _values(words, "-append")[0]


def test_the_kernel_of_the_image_boots_with_the_identity_of_the_host() -> None:
    lab = _plan()
    words = command(_machine(lab))
    assert _values(words, "-kernel") == ["/image/vmlinuz"]
    assert _values(words, "-initrd") == ["/image/initrd"]
    assert f"systemd.machine_id={lab.hosts[0].machine_id}" in _values(words, "-append")[0].split()
    assert f"root=LABEL={qemu_image.ROOT_LABEL}" in _values(words, "-append")[0].split()


def test_the_management_network_leads_nowhere_and_only_ssh_leads_in() -> None:
    lab = _plan()
    (user,) = (value for value in _values(command(_machine(lab)), "-netdev") if value.startswith("user,"))
    options = user.split(",")
    assert "restrict=on" in options
    assert f"net={lab.network}" in options
    assert f"host={lab.controller}" in options
    assert [item for item in options if "fwd" in item] == [f"hostfwd=tcp:127.0.0.1:0-{lab.hosts[0].address}:22"]


def test_a_plain_machine_has_neither_tpm_nor_firmware_nor_rails_nor_second_disk() -> None:
    words = command(_machine(_plan()))
    assert not _values(words, "-tpmdev")
    assert not any("pflash" in drive for drive in _values(words, "-drive"))
    assert len(_values(words, "-netdev")) == 1
    assert [device["serial"] for device in _devices(words, "virtio-blk-pci")] == ["rampart-root", "rampart-seed"]


def test_uefi_has_shared_code_that_is_read_only_and_variables_of_its_own() -> None:
    flash = [drive for drive in _values(command(_machine(_plan(uefi=True))), "-drive") if "pflash" in drive]
    assert len(flash) == 2
    assert "unit=0" in flash[0] and "readonly=on" in flash[0] and "OVMF_CODE" in flash[0]
    assert "unit=1" in flash[1] and "readonly" not in flash[1] and "file=/l/one/" in flash[1]


def test_the_tpm_is_the_host_s_own_emulator() -> None:
    lab = _plan(tpm=True)
    words = command(_machine(lab))
    assert _values(words, "-tpmdev") == ["emulator,id=tpm0,chardev=tpm"]
    assert f"socket,id=tpm,path=/s/tpm.{lab.hosts[0].index}" in _values(words, "-chardev")
    assert _devices(words, "tpm-tis") == [{"tpmdev": "tpm0"}]


def test_an_extra_disk_is_a_third_one_with_a_name_the_guest_can_see() -> None:
    words = command(_machine(_plan(extra_disk_mib=512)))
    assert [device["serial"] for device in _devices(words, "virtio-blk-pci")][-1] == "rampart-extra"
    assert any("file=/l/one/extra.qcow2" in drive for drive in _values(words, "-drive"))


def test_rails_join_machines_by_sockets_of_the_lab_and_nothing_else() -> None:
    lab = _plan(rails=2)
    lines = [command(_machine(lab, host)) for host in lab.hosts]
    for host, words in zip(lab.hosts, lines, strict=True):
        back = [value for value in _values(words, "-netdev") if not value.startswith("user,")]
        assert back == [
            f"dgram,id=rail{rail},local.type=unix,local.path=/s/rail{rail}.{host.index},"
            f"remote.type=unix,remote.path=/s/rail{rail}.switch"
            for rail in (0, 1)
        ]
    cards = [_devices(words, "virtio-net-pci") for words in lines]
    assert [card["mac"] for card in cards[0]] == [lab.hosts[0].mac, *(rail.mac for rail in lab.hosts[0].rails)]
    assert len({card["mac"] for machine_cards in cards for card in machine_cards}) == 6


def test_slots_are_distinct_and_are_those_the_image_names_interfaces_by() -> None:
    words = command(_machine(_plan(rails=8, extra_disk_mib=64, tpm=True)))
    slots = [int(value.split("addr=")[1], 16) for value in _values(words, "-device") if "addr=" in value]
    assert len(slots) == len(set(slots))
    cards = [int(device["addr"], 16) for device in _devices(words, "virtio-net-pci")]
    assert cards == [slot for _, slot in qemu_image.interfaces()]
    assert cards[1] == RAIL_SLOT


def test_the_repository_is_shared_read_only() -> None:
    (share,) = _values(command(_machine(_plan())), "-fsdev")
    assert "path=/repo" in share.split(",") and "readonly=on" in share.split(",")


def test_only_snapshots_let_qemu_start_a_process() -> None:
    plain = _machine(_plan())
    restored = dataclasses.replace(plain, incoming=Path("/c/it's/state"))
    taken = dataclasses.replace(plain, migrates=True)
    spawns = ["spawn=allow" in _values(command(item), "-sandbox")[0].split(",") for item in (plain, restored, taken)]
    assert spawns == [False, True, True]
    assert _values(command(restored), "-incoming") == ["exec:cat '/c/it'\\''s/state'"]
    assert not _values(command(plain), "-incoming")


def test_a_comma_in_a_path_stays_in_the_path() -> None:
    odd = dataclasses.replace(_machine(_plan()), disk=Path("/a,b/disk.qcow2"))
    assert any("file=/a,,b/disk.qcow2," in drive for drive in _values(command(odd), "-drive"))
