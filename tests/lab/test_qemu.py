# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Virtual machines for real: what only an own kernel shows, isolation, rails with RDMA and DCB, and no trace after.

Minutes without KVM. RAMPART_LAB_RELEASE chooses the Debian release (12, the default, or 13).
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rampart.lab.lab import Lab
from rampart.lab.state import Paths

pytestmark = pytest.mark.qemu

RELEASE = os.environ.get("RAMPART_LAB_RELEASE", "12")
KERNELS = {"12": "6.1.", "13": "6.12."}
_MACHINE = """---
hosts:
  vm1: {mode: inference, tpm: true, uefi: true, extra_disk_mib: 256}
"""


def _lab(name: str, state: Path) -> Lab:
    paths = Paths(state, Paths.from_environment().cache)
    return Lab(name, paths, lambda line: print(line, file=sys.stderr, flush=True))


def _traces(*names: str) -> list[str]:
    """Command lines of processes that carry a lab's name or folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if any(name in line for name in names) and "pytest" not in line:
            found.append(line)
    return found


@pytest.fixture(scope="module")
def machine(state: Path) -> Iterator[Lab]:
    """One machine with all that is optional; it boots, since a TPM and firmware are nobody else's."""
    lab = _lab("qemu-machine", state)
    topology = state / "machine.yml"
    topology.write_text(_MACHINE, encoding="utf-8")
    try:
        lab.up(str(topology), "qemu", RELEASE)
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="module")
def rails(state: Path) -> Iterator[Lab]:
    """Two machines on two rails."""
    lab = _lab("qemu-rails", state)
    try:
        lab.up("rails", "qemu", RELEASE)
        yield lab
    finally:
        lab.down()


def _run(lab: Lab, host: str, command: str, seconds: float = 240.0) -> tuple[int, str]:
    done = lab.exec(host, ["sh", "-c", command], seconds=seconds)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace").strip()


def _said(lab: Lab, host: str, command: str, seconds: float = 240.0) -> str:
    code, text = _run(lab, host, command, seconds)
    assert code == 0, f"{command}: exit code {code}: {text}"
    return text


def test_the_machine_has_its_own_kernel_and_name(machine: Lab) -> None:
    kernel, name, machine_id = _said(machine, "vm1", "uname -r; hostname; cat /etc/machine-id").splitlines()
    assert kernel.startswith(KERNELS[RELEASE])
    assert kernel != os.uname().release
    assert (name, machine_id) == ("vm1", machine.plan.host("vm1").machine_id)


def test_kernel_settings_of_the_machine_are_not_those_of_this_one(machine: Lab) -> None:
    before = Path("/proc/sys/kernel/panic").read_text()
    wanted = "41" if before.strip() != "41" else "42"
    _said(machine, "vm1", f"sysctl -qw kernel.panic={wanted}")
    assert _said(machine, "vm1", "cat /proc/sys/kernel/panic") == wanted
    assert Path("/proc/sys/kernel/panic").read_text() == before


def test_packages_install_from_the_lab_s_repository_and_auditd_runs(machine: Lab) -> None:
    _said(machine, "vm1", "DEBIAN_FRONTEND=noninteractive apt-get install -q -y auditd", 420)
    assert _said(machine, "vm1", "systemctl is-active auditd") == "active"
    assert re.search(r"^enabled 1$", _said(machine, "vm1", "auditctl -s"), re.M)
    assert _run(machine, "vm1", "touch /srv/rampart-apt/x")[0] != 0


def test_the_tpm_is_version_2_and_remembers_what_is_extended(machine: Lab) -> None:
    assert _said(machine, "vm1", "cat /sys/class/tpm/tpm0/tpm_version_major") == "2"
    before = _said(machine, "vm1", "cat /sys/class/tpm/tpm0/pcr-sha256/14")
    digest = "11" * 32
    _said(machine, "vm1", f"tpm2_pcrextend -T device:/dev/tpm0 14:sha256={digest}")
    assert _said(machine, "vm1", "cat /sys/class/tpm/tpm0/pcr-sha256/14") != before


def test_the_firmware_is_uefi(machine: Lab) -> None:
    assert _said(machine, "vm1", "ls /sys/firmware/efi/efivars | head -1")


def test_the_extra_disk_takes_luks(machine: Lab) -> None:
    disk = "/dev/disk/by-id/virtio-rampart-extra"
    assert _said(machine, "vm1", f"lsblk --bytes --nodeps --noheadings --output SIZE {disk}") == str(256 << 20)
    options = "--batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file -"
    _said(machine, "vm1", f"printf k | cryptsetup luksFormat {options} {disk}")
    _said(machine, "vm1", f"printf k | cryptsetup open --key-file - {disk} t && cryptsetup close t")
    assert _run(machine, "vm1", f"printf wrong | cryptsetup open --key-file - {disk} t")[0] != 0


def test_nothing_outside_can_be_reached(machine: Lab) -> None:
    assert "default via" in _said(machine, "vm1", "ip -4 route")  # it is the network that stops it, not a missing route
    probe = (
        "import socket, sys\n"
        "for place in (('1.1.1.1', 443), ('10.0.2.2', 22), (sys.argv[1], 22), (sys.argv[1], 53)):\n"
        "    try:\n"
        "        socket.create_connection(place, 5).close()\n"
        "        print('reached', place)\n"
        "    except OSError:\n"
        "        pass\n"
    )
    done = machine.exec("vm1", ["python3", "-c", probe, machine.plan.controller], seconds=120)
    assert (done.returncode, done.stdout) == (0, b"")


def test_each_machine_of_a_fleet_is_somebody(rails: Lab) -> None:
    """They may continue one snapshot: nothing of it may be left."""
    wanted = (
        "hostname; cat /etc/machine-id; cat /sys/class/net/rail0/address /sys/class/net/rail1/address; date +%s; "
        "cat /proc/sys/kernel/random/uuid; cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub"
    )
    random = set()
    for host in rails.plan.hosts:
        name, machine_id, mac0, mac1, now, *rest = _said(rails, host.name, wanted).splitlines()
        assert (name, machine_id) == (host.name, host.machine_id)
        assert [mac0, mac1] == [rail.mac for rail in host.rails]
        assert abs(int(now) - time.time()) < 60
        random |= set(rest)
    assert len(random) == 2 * len(rails.plan.hosts)


def test_rails_carry_traffic_between_the_machines_and_stay_apart(rails: Lab) -> None:
    first, second = rails.plan.hosts
    for rail in second.rails:
        _said(rails, first.name, f"ping -c 2 -W 10 -I rail{rail.index} {rail.address}")
    # A machine answers for its addresses on any interface; without its end on rail 0 only a joined rail 1 could.
    _said(rails, second.name, "ip link set dev rail0 down")
    astray = _run(rails, first.name, f"ping -c 2 -W 5 -r -I rail0 {second.rails[1].address}")
    _said(rails, second.name, "ip link set dev rail0 up")
    assert astray[0] != 0, astray[1]
    assert "0 received" in astray[1]


def test_rdma_moves_data_over_a_rail(rails: Lab) -> None:
    first, second = rails.plan.hosts
    assert re.search(r"link rxe0/1 state ACTIVE .*netdev rail0", _said(rails, first.name, "rdma link show"))
    test = "ib_write_bw -d rxe0 -x 1 -n 20 -s 4096 -F"
    _said(rails, first.name, f"systemd-run --quiet --unit=rdma-server {test}")
    attempt = f"for try in 1 2 3 4 5 6; do {test} {first.rails[0].address} && exit 0; sleep 2; done; exit 1"
    assert "4096" in _said(rails, second.name, attempt)


def test_dcb_is_set_on_a_rail_and_read_back_and_counted(rails: Lab) -> None:
    host = rails.plan.hosts[0].name
    calls = "cat /sys/module/dcbshim/parameters/set_calls"
    before = int(_said(rails, host, calls))
    # Read back: dcb of iproute2 6.1 was seen to end with "Protocol error", once in a hundred calls.
    _run(rails, host, "dcb pfc set dev rail0 prio-pfc all:off 3:on")
    assert "3:on" in _said(rails, host, "dcb pfc show dev rail0 prio-pfc")
    assert "3:off" in _said(rails, host, "dcb pfc show dev rail1 prio-pfc")
    after = int(_said(rails, host, calls))
    assert after > before
    _said(rails, host, "dcb pfc show dev rail0")
    assert int(_said(rails, host, calls)) == after
    assert re.search(
        r"^rail0 .*set_pfc=[1-9].*link_toggles=1$", _said(rails, host, "cat /sys/kernel/debug/dcbshim/devices"), re.M
    )


def test_dcb_refuses_what_the_chosen_adapter_refuses(rails: Lab) -> None:
    """Read back: dcb of iproute2 6.1 ends with 0 when the kernel refuses."""
    host = rails.plan.hosts[0].name
    quirk = "/sys/module/dcbshim/parameters/quirk"
    three = "dcb pfc set dev rail1 prio-pfc all:off 3:on 4:on 5:on; dcb pfc show dev rail1 prio-pfc"
    assert "3:off" in _said(rails, host, f"echo bnxt > {quirk}; {three}")
    assert "3:on" in _said(rails, host, f"echo none > {quirk}; {three}")
    code, text = _run(rails, host, f"echo unheard-of 2>&1 > {quirk} && exit 9; cat {quirk}")
    assert code == 0 and "none" in text.splitlines()


def test_dcb_goes_with_its_module_and_comes_back_empty(rails: Lab) -> None:
    host = rails.plan.hosts[0].name
    show = "dcb -N app show dev rail0 dscp-prio"
    assert "26:3" in _said(rails, host, f"dcb app add dev rail0 dscp-prio 26:3 && {show}")
    gone = _run(rails, host, f"rmmod dcbshim && {show}")
    assert "not supported" in gone[1]
    assert "26:3" not in _said(rails, host, f"modprobe dcbshim && {show}")
    assert _said(rails, host, "dmesg | grep -e BUG: -e WARNING: -e Oops || true") == ""


def test_a_rail_that_is_cut_carries_nothing_until_it_is_healed(rails: Lab) -> None:
    first, second = rails.plan.hosts
    ping = f"ping -c 2 -W 5 -I rail0 {second.rails[0].address}"
    rails.break_host(second.name, "cut-link")
    assert _run(rails, first.name, ping)[0] != 0
    rails.break_host(second.name, "heal-link")
    _said(rails, first.name, f"for try in 1 2 3 4 5 6 7 8; do {ping} && exit 0; sleep 2; done; exit 1")


def test_a_machine_that_lost_power_boots_again_with_its_disk(rails: Lab) -> None:
    host = rails.plan.hosts[1]
    _said(rails, host.name, "echo kept > /var/kept; sync")
    rails.break_host(host.name, "kill-host")
    assert rails.states()[host.name] == "dead"
    rails.up("rails", "qemu", RELEASE)
    assert _said(rails, host.name, "cat /var/kept") == "kept"
    assert _said(rails, host.name, "cat /etc/machine-id") == host.machine_id
    assert _said(rails, host.name, "cat /sys/class/net/rail0/address") == host.rails[0].mac


def test_down_leaves_nothing(state: Path) -> None:
    """Last in the file: takes the labs of the tests above down, and once more."""
    labs = [_lab(name, state) for name in ("qemu-machine", "qemu-rails")]
    for lab in labs:
        lab.down()
    assert _traces("qemu-machine", "qemu-rails", str(state)) == []
    assert [path.name for path in state.iterdir() if path.is_dir()] == []
    assert not [*Path("/tmp").glob("rampart-qemu-machine-*"), *Path("/tmp").glob("rampart-qemu-rails-*")]
