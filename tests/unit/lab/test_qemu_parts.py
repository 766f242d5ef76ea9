# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Parts of the qemu driver without a machine: KVM's trial, switch, seed, snapshot choice, preflight, sockets, QMP."""

from __future__ import annotations

import dataclasses
import io
import json
import socket
import subprocess
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest

from rampart.lab import images, kvm, plan, qemu_dcbshim, qemu_image, qemu_preflight, qemu_seed, qemu_snapshot, topology
from rampart.lab.driver import HostFile
from rampart.lab.errors import LabError
from rampart.lab.plan import LabPlan
from rampart.lab.qemu_files import Files, Sockets, machine
from rampart.lab.qemu_qmp import Qmp, parse_forward
from rampart.lab.qemu_switch import Segment
from rampart.lab.state import LabFolder

_MSR = b"qemu-system-x86_64: ../kvm.c:3183: kvm_buf_set_msrs: Assertion `ret == cpu->kvm_msr_buf->nmsrs' failed."


def _plan(rails: int = 0, **host: Any) -> LabPlan:
    data = {"rails": rails, "hosts": {"one": {"mode": "training", **host}}}
    return plan.make(topology.parse(data, "t", "t.yml"), "lab1", "qemu", "12")


@pytest.mark.parametrize(
    ("code", "console", "errors", "name", "reason"),
    [
        (0, b"Linux version 6.1\nKernel panic - not syncing", b"", "kvm", "worked"),
        (-6, b"", _MSR, "tcg", "nmsrs"),
        (None, b"", b"", "tcg", "showed nothing"),
        (None, b"Linux version 6.1\n", b"", "tcg", "hung"),
        (0, b"", b"", "tcg", "code 0"),
    ],
)
def test_kvm_is_taken_only_when_the_trial_reached_its_end(
    code: int | None, console: bytes, errors: bytes, name: str, reason: str
) -> None:
    answer = kvm.judge(code, console, errors)
    assert answer.name == name
    assert reason in answer.reason


def test_kvm_that_hangs_is_given_up_after_the_limit(tmp_path: Path) -> None:
    (tmp_path / "kvm").touch()

    def hang(argv: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        assert options["timeout"] == kvm.TRIAL_S
        raise subprocess.TimeoutExpired(argv, kvm.TRIAL_S, b"iPXE")

    assert kvm.trial(Path("k"), tmp_path / "kvm", hang).reason.startswith("a trial boot with KVM showed nothing")


def test_the_answer_about_kvm_is_kept_and_asked_anew_for_another_kernel(tmp_path: Path) -> None:
    absent = tmp_path / "no-kvm"
    assert kvm.choose(Path("k1"), tmp_path, absent).name == "tcg"
    kept = json.loads((tmp_path / "kvm.json").read_text())
    kept["answer"] = {"name": "kvm", "reason": "kept"}
    (tmp_path / "kvm.json").write_text(json.dumps(kept))
    assert kvm.choose(Path("k1"), tmp_path, absent).reason == "kept"
    assert "does not exist" in kvm.choose(Path("k2"), tmp_path, absent).reason


def test_a_damaged_answer_about_kvm_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "kvm.json").write_text("{")
    assert kvm.choose(Path("k1"), tmp_path, tmp_path / "no-kvm").name == "tcg"


class _Port:
    """A machine's end of a rail."""

    def __init__(self, path: Path, segment: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(5)
        self._segment = str(segment)

    def send(self, destination: bytes, source: bytes) -> bytes:
        frame = destination + source + b"\x08\x00" + b"x" * 46
        self.socket.sendto(frame, self._segment)
        return frame

    def received(self) -> list[bytes]:
        self.socket.setblocking(False)
        frames = []
        while True:
            try:
                frames.append(self.socket.recv(1 << 17))
            except BlockingIOError:
                return frames


def test_the_switch_floods_then_learns_and_outlives_a_machine_that_went(tmp_path: Path) -> None:
    segment = Segment(str(tmp_path / "switch"))
    ports = [_Port(tmp_path / f"p{index}", tmp_path / "switch") for index in range(3)]
    macs = [bytes([2, 0, 0, 0, 0, index]) for index in range(3)]
    broadcast = b"\xff" * 6
    for port, mac in zip(ports, macs, strict=True):
        port.send(broadcast, mac)
        segment.forward()
    assert [len(port.received()) for port in ports] == [2, 1, 0]  # each saw those that came after it was known
    frame = ports[0].send(macs[2], macs[0])
    segment.forward()
    assert [port.received() for port in ports] == [[], [], [frame]]
    ports[2].socket.close()
    (tmp_path / "p2").unlink()
    ports[0].send(broadcast, macs[0])
    segment.forward()
    assert [len(ports[index].received()) for index in (0, 1)] == [0, 1]


def test_the_switch_drops_what_is_no_frame(tmp_path: Path) -> None:
    segment = Segment(str(tmp_path / "switch"))
    port, other = (_Port(tmp_path / name, tmp_path / "switch") for name in ("a", "b"))
    other.send(b"\xff" * 6, b"\x02" * 6)
    segment.forward()
    port.socket.sendto(b"short", str(tmp_path / "switch"))
    segment.forward()
    assert other.received() == []


def test_the_seed_is_a_tar_of_fixed_size_with_owners_and_modes(tmp_path: Path) -> None:
    files = [HostFile("/etc/hostname", b"one\n"), HostFile("/home/ops/.ssh/authorized_keys", b"k", 0o600, 1000, 1000)]
    qemu_seed.write(tmp_path / "seed", qemu_seed.archive(files))
    content = (tmp_path / "seed").read_bytes()
    assert len(content) == qemu_seed.SIZE
    assert (tmp_path / "seed").stat().st_mode & 0o777 == 0o600
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        members = {item.name: (item.mode, item.uid, item.gid) for item in tar}
    assert members == {"etc/hostname": (0o644, 0, 0), "home/ops/.ssh/authorized_keys": (0o600, 1000, 1000)}
    assert not content.startswith(b"golden")


def test_a_seed_that_is_too_large_says_so(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=str(qemu_seed.SIZE)):
        qemu_seed.write(tmp_path / "seed", b"x" * (qemu_seed.SIZE + 1))


def test_the_network_files_carry_the_planned_addresses() -> None:
    lab = _plan(rails=2)
    texts = {file.path: file.content.decode() for file in qemu_seed.network_files(lab, lab.hosts[0])}
    assert f"Address={lab.hosts[0].address}/24" in texts["/etc/systemd/network/20-mgmt0.network"]
    for rail in lab.hosts[0].rails:
        text = texts[f"/etc/systemd/network/20-rail{rail.index}.network"]
        assert f"Address={rail.address}/24" in text and "Gateway" not in text


def test_restored_machines_get_their_own_macs_and_entropy() -> None:
    lab = _plan(rails=1)
    first, second = ({file.path: file.content for file in qemu_seed.restored_files(lab.hosts[0])} for _ in range(2))
    assert first["/run/rampart-lab/macs"].decode().split() == [
        "mgmt0",
        lab.hosts[0].mac,
        "rail0",
        lab.hosts[0].rails[0].mac,
    ]
    assert first["/run/rampart-lab/entropy"] != second["/run/rampart-lab/entropy"]


def _machine(lab: LabPlan, accel: str = "tcg") -> Any:
    return machine(lab, lab.hosts[0], Files(Path("/l")), Sockets(Path("/s")), Path("/i"), Path("/r"), accel)


@pytest.mark.parametrize(
    ("host", "accel", "wanted"),
    [({}, "tcg", True), ({}, "kvm", False), ({"tpm": True}, "tcg", False), ({"uefi": True}, "tcg", False)],
)
def test_a_snapshot_is_taken_only_where_it_is_faster_and_shares_no_secret(
    host: dict[str, Any], accel: str, wanted: bool
) -> None:
    assert qemu_snapshot.worthwhile(_machine(_plan(**host), accel)) is wanted


def test_snapshots_differ_with_devices_and_qemu_but_not_with_names() -> None:
    def key(lab: LabPlan, version: str = "7.2") -> str:
        return qemu_snapshot.key(_machine(lab), lab.hosts[0], version)

    base = _plan()
    renamed = dataclasses.replace(base, name="other")
    assert key(base) == key(renamed)
    others = [key(_plan(rails=1)), key(_plan(cpus=1)), key(_plan(memory_mib=512)), key(_plan(extra_disk_mib=64))]
    assert len({key(base), key(base, "8.0"), *others}) == 6


def test_the_machine_of_a_snapshot_has_nobody_s_identity() -> None:
    lab = _plan(rails=1, extra_disk_mib=64)
    mine = _machine(lab)
    golden = qemu_snapshot.golden(mine, Files(Path("/build")), Sockets(Path("/tmp/x")))
    assert lab.hosts[0].machine_id not in golden.cmdline
    assert {golden.management.mac, golden.rails[0].mac}.isdisjoint({mine.management.mac, mine.rails[0].mac})
    assert all(str(path).startswith("/build") for path in (golden.disk, golden.seed, golden.extra_disk))


def test_the_words_of_a_topology_are_for_its_machine_and_not_for_the_snapshot() -> None:
    mine = _machine(_plan(kernel_words=["audit=1", "slab_nomerge"]))
    assert mine.cmdline.endswith(" audit=1 slab_nomerge")
    golden = qemu_snapshot.golden(mine, Files(Path("/build")), Sockets(Path("/tmp/x")))
    assert "audit=1" not in golden.cmdline


def test_packages_of_a_topology_are_in_an_image_of_its_own() -> None:
    usual = _plan()
    more = dataclasses.replace(usual, packages=("chrony",))
    assert "chrony" in qemu_image.recipe(more).packages
    assert images.folder_name(qemu_image.recipe(more)) != images.folder_name(qemu_image.recipe(usual))


def test_an_old_or_unknown_qemu_is_named() -> None:
    assert qemu_preflight.version_problems("QEMU emulator version 7.2.22 (Debian)") == []
    assert qemu_preflight.version_problems("QEMU emulator version 10.0.1") == []
    assert "6.2" in qemu_preflight.version_problems("QEMU emulator version 6.2.0")[0]
    assert qemu_preflight.version_problems("nonsense")


def test_a_user_without_subordinate_ids_is_told_how_to_get_them(tmp_path: Path) -> None:
    (tmp_path / "subuid").write_text("me:100000:65536\n")
    (problem,) = qemu_preflight.subordinate_ids("me", tmp_path)
    assert "subgid" in problem and "usermod --add-subgids" in problem


def test_sockets_move_to_a_short_path_when_the_lab_s_is_long(tmp_path: Path) -> None:
    assert Sockets.of(LabFolder(Path("/var/l/one"))).folder == Path("/var/l/one/sockets")
    long = Sockets.of(LabFolder(Path("/var") / ("x" * 100)))
    assert len(str(long.nic(199, 7))) < 107 and long.folder.parent == Path("/tmp")
    assert long != Sockets.of(LabFolder(Path("/var") / ("y" * 100)))


def test_sockets_in_a_folder_that_others_may_enter_are_refused(tmp_path: Path) -> None:
    sockets = Sockets(tmp_path / "s")
    sockets.create()
    assert sockets.folder.stat().st_mode & 0o777 == 0o700
    sockets.folder.chmod(0o755)
    with pytest.raises(LabError, match="private"):
        sockets.create()


def test_the_forwarded_port_is_read_from_the_monitor() -> None:
    line = "TCP[HOST_FORWARD]   8       127.0.0.1 38905     198.18.5.10    22     0     0"
    text = f"Hub -1 (n):\r\n  Protocol[State]  FD\r\n  {line}\r\n"
    assert parse_forward(text) == 38905
    with pytest.raises(LabError, match="forwards no port"):
        parse_forward("Hub -1 (n):\r\n")


def _serve(path: Path, answers: list[dict[str, Any]], seen: list[Any]) -> threading.Thread:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen(1)

    def work() -> None:
        client, _ = server.accept()
        with client, client.makefile("rw", encoding="utf-8") as stream:
            stream.write('{"QMP": {}}\n')
            stream.flush()
            for answer in answers:
                seen.append(json.loads(stream.readline()))
                stream.write(json.dumps({"event": "RESET"}) + "\n" + json.dumps(answer) + "\n")
                stream.flush()
        server.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_qmp_skips_events_and_passes_on_refusals(tmp_path: Path) -> None:
    seen: list[Any] = []
    refusal = {"error": {"class": "GenericError", "desc": "no such device"}}
    thread = _serve(tmp_path / "q", [{"return": {}}, {"return": {"status": "running"}}, refusal], seen)
    with Qmp(tmp_path / "q", 5) as qmp:
        assert qmp.execute("query-status") == {"status": "running"}
        with pytest.raises(LabError, match="no such device"):
            qmp.execute("human-monitor-command", command_line="x")
    thread.join(5)
    assert seen[2] == {"execute": "human-monitor-command", "arguments": {"command-line": "x"}}


def test_qmp_without_qemu_ends_with_the_socket_s_path(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="none"), Qmp(tmp_path / "none", 0.2):
        pass


def test_the_recipe_is_one_for_all_topologies_and_holds_the_guest_s_files() -> None:
    lab = _plan()
    assert qemu_image.recipe(lab) == qemu_image.recipe(_plan(rails=2, tpm=True))
    text = "\n".join(qemu_image.recipe(lab).hooks)
    assert "rampart-lab-seed.service" in text and "10-rail7.link" in text
    assert qemu_image.recipe(lab) != qemu_image.recipe(dataclasses.replace(lab, release="13"))


def test_the_module_is_built_for_the_exact_kernel_and_nothing_else_is_kept() -> None:
    words = qemu_dcbshim.command("6.1.0-1-amd64", "bookworm", Path("/b"), root=False)
    assert "--mode=unshare" in words and "--format=null" in words
    assert "--include=make,linux-headers-6.1.0-1-amd64" in words
    assert any(word.endswith("copy-out /dcbshim/dcbshim.ko /b") for word in words)
    assert len(qemu_dcbshim.source_hash()) == 12


def test_the_kernel_release_comes_from_the_image(tmp_path: Path) -> None:
    (tmp_path / qemu_image.RELEASE).write_text("6.1.0-1-amd64\n")
    assert qemu_image.kernel_release(tmp_path) == "6.1.0-1-amd64"
