# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the kernel, the service manager and the clock say of themselves."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import FileStat
from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import Request, measure
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes import kinds
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.identity import os_release, virt
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.kernel_state import (
    apparmor,
    cpu_vulnerabilities,
    kernel_cmdline,
    lockdown,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.listening_sockets import listening_sockets
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.systemd import process, systemd_unit
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.time_sync import time_sync

from .recorded_host import Outcome, RecordedHost


def test_the_command_line_is_read_as_the_kernel_reads_it() -> None:
    host = RecordedHost(files={"/proc/cmdline": 'ro quiet audit=1 x="a b" audit=0 random.trust_cpu=on -- audit=1\n'})
    found = kernel_cmdline(host, {})
    assert found["params"] == {"ro": "", "quiet": "", "audit": "0", "x": "a b", "random.trust_cpu": "on"}


def test_processor_flaws_in_the_words_of_the_kernel() -> None:
    folder = "/sys/devices/system/cpu/vulnerabilities/"
    host = RecordedHost(files={folder + "meltdown": "Mitigation: PTI\n", folder + "mds": "Vulnerable\n"})
    assert cpu_vulnerabilities(host, {}) == {"mds": "Vulnerable", "meltdown": "Mitigation: PTI"}
    with pytest.raises(Absent):
        cpu_vulnerabilities(RecordedHost(), {})


def test_apparmor_counts_modes_and_unreadable_is_not_empty() -> None:
    enabled = {"/sys/module/apparmor/parameters/enabled": "Y\n"}
    profiles = "/usr/bin/man (enforce)\nlsb (release) (complain)\nfirefox//null (unconfined)\n"
    found = apparmor(RecordedHost(files={**enabled, "/sys/kernel/security/apparmor/profiles": profiles}), {})
    assert found["modes"] == {"enforce": 1, "complain": 1, "unconfined": 1}
    assert (found["complain"], found["profiles"]) == (["lsb (release)"], 3)
    with pytest.raises(ProbeError, match="securityfs"):
        apparmor(RecordedHost(files=enabled), {})
    assert apparmor(RecordedHost(files={"/sys/module/apparmor/parameters/enabled": "N\n"}), {})["enabled"] is False
    with pytest.raises(Absent):
        apparmor(RecordedHost(), {})


def test_lockdown_and_secure_boot() -> None:
    path = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
    mode = {"/sys/kernel/security/lockdown": "none [integrity] confidentiality\n"}
    assert lockdown(RecordedHost(files=mode), {}) == {"mode": "integrity", "secure_boot": None}
    assert lockdown(RecordedHost(files={**mode, path: "\x06\0\0\0\x01"}), {})["secure_boot"] is True
    assert lockdown(RecordedHost(files={**mode, path: "\x06\0\0\0\0"}), {})["secure_boot"] is False


@pytest.mark.parametrize(
    ("answer", "kind"),
    [((1, "none\n", ""), "baremetal"), ("kvm\n", "vm"), ("systemd-nspawn\n", "container"), ("microsoft\n", "vm")],
)
def test_what_kind_of_machine_it_is(answer: Outcome, kind: str) -> None:
    assert virt(RecordedHost(commands={"systemd-detect-virt": answer}), {})["kind"] == kind


def test_a_machine_of_unknown_kind_is_an_error() -> None:
    with pytest.raises(ProbeError, match="ended with 127"):
        virt(RecordedHost(commands={"systemd-detect-virt": (127, "", "broken")}), {})


def test_the_system_names_itself() -> None:
    files = {
        "/etc/os-release": '# comment\nID=debian\nVERSION_ID="12"\n',
        "/proc/sys/kernel/osrelease": "6.1.0-28-amd64\n",
        "/proc/sys/kernel/hostname": "gpu1\n",
    }
    told = os_release(RecordedHost(files=files), {})
    assert told == {"id": "debian", "version": "12", "kernel": "6.1.0-28-amd64", "hostname": "gpu1"}


class Systemctl(dict[Any, Outcome]):
    """Answers `systemctl show` for the units that there are."""

    def __init__(self, **units: str) -> None:
        super().__init__({"systemctl": "", "chronyc": "", "timedatectl": ""})
        self.units = units

    def get(self, argv: Any, default: Any = None) -> Any:
        if not isinstance(argv, tuple) or argv[0] != "systemctl":
            return super().get(argv, default)
        gone = "LoadState=not-found\nActiveState=inactive\nMainPID=0\n"
        return "\n".join(self.units.get(unit.replace(".", "_"), gone) for unit in argv[argv.index("--") + 1 :])


SSH = "Id=ssh.service\nLoadState=loaded\nActiveState=active\nMainPID=7\nUser=\n"


def test_all_units_are_asked_for_at_once() -> None:
    host = RecordedHost(commands=Systemctl(ssh_service=SSH))
    wanted = [Request(unit, "systemd_unit", {"unit": unit}) for unit in ("ssh", "cups.socket", "x.timer")]
    found = measure(host, wanted, kinds(), 20.0)
    assert len(host.asked) == 1
    assert found["ssh"].value["ActiveState"] == "active"
    assert (found["cups.socket"].status, found["x.timer"].status) == ("absent", "absent")


def test_a_unit_that_runs_without_its_file_is_not_absent() -> None:
    host = RecordedHost(commands=Systemctl(evil_service="LoadState=not-found\nActiveState=active\n"))
    assert systemd_unit(host, {"unit": "evil"})["ActiveState"] == "active"


def test_without_a_service_manager_units_are_errors() -> None:
    class Broken(Systemctl):
        def get(self, argv: Any, default: Any = None) -> Any:
            return (1, "", "System has not been booted with systemd")

    with pytest.raises(ProbeError, match="not been booted"):
        systemd_unit(RecordedHost(commands=Broken()), {"unit": "ssh"})


LIMITS = "".join(
    f"{name:<26}{soft:<21}{hard:<21}{unit:<10}\n"
    for name, soft, hard, unit in (
        ("Limit", "Soft Limit", "Hard Limit", "Units"),
        ("Max open files", "1024", "524288", "files"),
        ("Max locked memory", "unlimited", "unlimited", "bytes"),
    )
)


def test_a_process_has_the_limits_that_the_kernel_holds_it_to() -> None:
    files = {
        "/proc/7/limits": LIMITS,
        "/proc/7/status": "Name:\tsshd\nNoNewPrivs:\t0\n",
        "/proc/7/cmdline": "sshd\0-D\0",
    }
    host = RecordedHost(files=files, commands=Systemctl(ssh_service=SSH))
    found = process(host, {"unit": "ssh"})
    assert found["limits"]["Max open files"] == {"soft": 1024, "hard": 524288}
    assert found["limits"]["Max locked memory"]["soft"] == "unlimited"
    assert (found["status"]["NoNewPrivs"], found["cmdline"]) == ("0", ["sshd", "-D"])
    with pytest.raises(Absent, match=r"cups\.service"):
        process(host, {"unit": "cups"})


HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(address: str, state: str, uid: int, inode: int) -> str:
    return f"   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 {uid:5} 0 {inode} 1 0 100\n"


def test_sockets_that_listen_and_who_holds_them() -> None:
    files: dict[str, str] = {
        "/proc/net/tcp": HEAD
        + row("0100007F:0019", "0A", 101, 11)
        + row("00000000:0016", "0A", 0, 12)
        + row("0100007F:0016", "01", 0, 13),
        "/proc/net/tcp6": HEAD + row("00000000000000000000000001000000:0277", "0A", 0, 14),
        "/proc/net/udp": HEAD + row("00000000:0044", "07", 0, 15),
        "/proc/9/comm": "sshd\n",
        "/proc/3/comm": "systemd\n",
    }
    host = RecordedHost(
        files=files, links={"/proc/9/fd/3": "socket:[12]", "/proc/3/fd/5": "socket:[14]", "/proc/3/fd/6": "/dev/null"}
    )
    found = {(one["proto"], one["address"], one["port"]): one for one in listening_sockets(host, {})}
    assert set(found) == {("tcp", "127.0.0.1", 25), ("tcp", "0.0.0.0", 22), ("tcp", "::1", 631), ("udp", "0.0.0.0", 68)}
    assert found[("tcp", "0.0.0.0", 22)]["process"] == "sshd"
    assert (found[("tcp", "::1", 631)]["process"], found[("tcp", "::1", 631)]["loopback"]) == ("systemd", True)
    assert (found[("tcp", "127.0.0.1", 25)]["uid"], found[("udp", "0.0.0.0", 68)]["process"]) == (101, None)


TRACKING = "A29FC87B,162.159.200.123,4,1700000000.1,0.0,0.0,0.0,-7.3,0.0,0.1,0.02,0.001,64.2,{}\n"


@pytest.mark.parametrize(("leap", "right"), [("Normal", True), ("Not synchronised", False)])
def test_chrony_says_whether_the_clock_is_right(leap: str, right: bool) -> None:
    commands = Systemctl(chrony_service="LoadState=loaded\nActiveState=active\n")
    commands[("chronyc", "-n", "-c", "tracking")] = TRACKING.format(leap)
    found = time_sync(RecordedHost(commands=commands), {})
    assert (found["synchronized"], found["service"], found["ntp"]) == (right, "chrony.service", True)


def test_timesyncd_leaves_a_mark_and_no_service_means_no() -> None:
    commands = Systemctl(**{"systemd-timesyncd_service": "LoadState=loaded\nActiveState=active\n"})
    mark = {"/run/systemd/timesync/synchronized": FileStat(mode=0o100644, uid=0, gid=0)}
    assert time_sync(RecordedHost(commands=commands, stats=mark), {})["synchronized"]
    assert not time_sync(RecordedHost(commands=commands), {})["synchronized"]
    nothing = time_sync(RecordedHost(commands=Systemctl()), {})
    assert nothing == {"synchronized": False, "service": None, "ntp": False, "running": []}
