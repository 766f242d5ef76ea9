# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The running kernel: how it was built, whose code it runs, what processor it runs on, what it confines."""

from __future__ import annotations

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.apparmor_processes import apparmor_processes
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.kernel_build import (
    kernel_config,
    kernel_taint,
    lsm,
    module_signatures,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.processor import cpu_flaws, iommu, microcode
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.tmpfiles_at_boot import tmpfiles_at_boot

from .recorded_host import RecordedHost


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("0\n", []),
        ("12289\n", ["proprietary_module", "out_of_tree_module", "unsigned_module"]),
        ("2\n", ["forced_module"]),
        (str(1 << 25), ["bit_25"]),
    ],
)
def test_taint_is_told_by_name(text: str, flags: list[str]) -> None:
    found = kernel_taint(RecordedHost(files={"/proc/sys/kernel/tainted": text}), {})
    assert found == {"value": int(text), "flags": flags}


def test_taint_that_is_no_number_is_an_error() -> None:
    with pytest.raises(ProbeError, match="wanted a number"):
        kernel_taint(RecordedHost(files={"/proc/sys/kernel/tainted": "clean\n"}), {})


CONFIG = '# Linux\nCONFIG_STACKPROTECTOR_STRONG=y\n# CONFIG_DEVKMEM is not set\nCONFIG_LSM="yama,apparmor"\n'
RELEASE = {"/proc/sys/kernel/osrelease": "6.1.0-28-amd64\n"}


@pytest.mark.parametrize(
    ("option", "value"), [("STACKPROTECTOR_STRONG", "y"), ("DEVKMEM", "n"), ("LSM", "yama,apparmor"), ("NONE", "n")]
)
def test_the_configuration_of_the_running_kernel_is_read(option: str, value: str) -> None:
    host = RecordedHost(files={**RELEASE, "/boot/config-6.1.0-28-amd64": CONFIG, "/boot/config-5.10": "CONFIG_X=y"})
    assert kernel_config(host, {"option": option}) == value


def test_no_configuration_is_absent_and_an_empty_one_an_error() -> None:
    with pytest.raises(Absent, match=r"/boot/config-6\.1"):
        kernel_config(RecordedHost(files=RELEASE), {"option": "X"})
    with pytest.raises(ProbeError, match="damaged"):
        kernel_config(RecordedHost(files={**RELEASE, "/boot/config-6.1.0-28-amd64": "\n"}), {"option": "X"})
    with pytest.raises(ProbeError, match="cannot be unpacked"):
        kernel_config(RecordedHost(files={"/proc/config.gz": "no gzip"}), {"option": "X"})


def test_signatures_and_who_has_none() -> None:
    files = {
        "/sys/module/module/parameters/sig_enforce": "N\n",
        "/sys/module/nvidia/taint": "POE\n",
        "/sys/module/ext4/taint": "\n",
        "/sys/module/zfs/taint": "PO\n",
    }
    assert module_signatures(RecordedHost(files=files), {}) == {"enforced": False, "unsigned": ["nvidia"]}
    with pytest.raises(Absent):
        module_signatures(RecordedHost(), {})


def test_security_modules_are_listed() -> None:
    host = RecordedHost(files={"/sys/kernel/security/lsm": "lockdown,capability,yama,apparmor"})
    assert lsm(host, {}) == ["lockdown", "capability", "yama", "apparmor"]


def test_every_flaw_is_told_newer_ones_too() -> None:
    base = "/sys/devices/system/cpu/vulnerabilities/"
    host = RecordedHost(files={base + "meltdown": "Not affected\n", base + "flaw_of_2031": "Vulnerable\n"})
    assert cpu_flaws(host, {}) == [
        {"name": "flaw_of_2031", "text": "Vulnerable"},
        {"name": "meltdown", "text": "Not affected"},
    ]
    with pytest.raises(Absent):
        cpu_flaws(RecordedHost(), {})


def test_the_package_of_microcode_is_that_of_the_processor() -> None:
    text = (
        "processor\t: 0\nvendor_id\t: AuthenticAMD\nmicrocode\t: 0xa0011d5\n\nprocessor\t: 1\nmicrocode\t: 0xa0011d5\n"
    )
    found = microcode(RecordedHost(files={"/proc/cpuinfo": text}), {})
    assert found == {"vendor": "AuthenticAMD", "revisions": ["0xa0011d5"], "package": "amd64-microcode"}
    with pytest.raises(Absent, match="no x86"):
        microcode(RecordedHost(files={"/proc/cpuinfo": "CPU implementer : 0x41\n"}), {})


def test_the_groups_of_the_iommu_are_counted_by_type() -> None:
    files = {
        f"/sys/kernel/iommu_groups/{n}/type": f"{kind}\n" for n, kind in enumerate(["DMA-FQ", "identity", "DMA-FQ"])
    }
    found = iommu(RecordedHost(files={**files, "/sys/class/iommu/dmar0": ""}), {})
    assert found == {"units": 1, "groups": 3, "types": {"DMA-FQ": 2, "identity": 1}, "kinds": ["DMA-FQ", "identity"]}
    assert iommu(RecordedHost(), {})["units"] == 0


POLICY = "/sys/kernel/security/apparmor/policy/profiles/"
ARMOR = {
    "/sys/module/apparmor/parameters/enabled": "Y\n",
    POLICY + "chronyd.1/attach": "/{,usr/}sbin/chronyd\n",
    POLICY + "chronyd.1/name": "chronyd\n",
    POLICY + "chronyd.1/mode": "enforce\n",
    POLICY + "any.2/attach": "/opt/**\n",
    POLICY + "any.2/name": "any\n",
    POLICY + "any.2/mode": "enforce\n",
    POLICY + "dhcp.4/attach": "<unknown>\n",
    POLICY + "dhcp.4/name": "dhcp\n",
    POLICY + "dhcp.4/mode": "enforce\n",
    "/etc/apparmor.d/dhcp": "include <tunables/global>\nprofile dhcp /{,usr/}sbin/dhcpcd {\n}\n",
    POLICY + "-usr-bin-man.5/attach": "<unknown>\n",
    POLICY + "-usr-bin-man.5/name": "/usr/bin/man\n",
    POLICY + "-usr-bin-man.5/mode": "enforce\n",
    POLICY + "flat.3/attach": "/usr/bin/flat\n",
    POLICY + "flat.3/name": "flat\n",
    POLICY + "flat.3/mode": "unconfined\n",
}


def armor(**processes: tuple[str, str]) -> RecordedHost:
    files = {f"/proc/{pid[1:]}/attr/apparmor/current": label for pid, (label, _unused) in processes.items()}
    return RecordedHost(
        files={**ARMOR, **files, "/proc/99/status": ""},
        links={f"/proc/{pid[1:]}/exe": program for pid, (_unused, program) in processes.items()},
    )


def test_a_program_outside_its_profile_is_named() -> None:
    host = armor(
        p1=("unconfined\n", "/usr/lib/systemd/systemd"),
        p2=("unconfined\n", "/usr/sbin/chronyd"),
        p3=("dhclient (enforce)\n", "/usr/sbin/dhclient"),
        p4=("man (complain)\n", "/usr/bin/man"),
        p5=("unconfined\n", "/usr/bin/flat"),
    )
    assert apparmor_processes(host, {}) == {
        "confined": 2,
        "complain": [{"path": "/usr/bin/man", "profile": "man"}],
        "outside": [{"path": "/usr/sbin/chronyd", "profile": "chronyd"}],
    }


def test_an_attachment_that_the_kernel_does_not_tell_is_found_by_name_and_by_file() -> None:
    host = armor(p1=("unconfined\n", "/usr/sbin/dhcpcd"), p2=("unconfined\n", "/usr/bin/man"))
    assert apparmor_processes(host, {})["outside"] == [
        {"path": "/usr/bin/man", "profile": "/usr/bin/man"},
        {"path": "/usr/sbin/dhcpcd", "profile": "dhcp"},
    ]


def test_without_apparmor_there_is_nothing_to_tell() -> None:
    with pytest.raises(Absent):
        apparmor_processes(RecordedHost(files={"/proc/1/status": ""}), {})
    with pytest.raises(Absent, match="switched off"):
        apparmor_processes(RecordedHost(files={"/sys/module/apparmor/parameters/enabled": "N\n"}), {})
    with pytest.raises(ProbeError, match="securityfs"):
        apparmor_processes(RecordedHost(files={"/sys/module/apparmor/parameters/enabled": "Y\n"}), {})


TMPFILES = """# /etc/tmpfiles.d/rampart.conf
w /sys/module/module/parameters/sig_enforce - - - - Y
# /usr/lib/tmpfiles.d/x.conf
d /run/x 0755 root root -
"""


def test_what_a_boot_writes_to_a_switch_of_the_kernel() -> None:
    host = RecordedHost(commands={"systemd-tmpfiles --cat-config": TMPFILES})
    switch = {"path": "/sys/module/module/parameters/sig_enforce"}
    assert tmpfiles_at_boot(host, switch) == {"type": "w", "argument": "Y", "file": "/etc/tmpfiles.d/rampart.conf"}
    assert tmpfiles_at_boot(host, {"path": "/run/x"})["argument"] == ""
    with pytest.raises(Absent):
        tmpfiles_at_boot(host, {"path": "/run/y"})
    with pytest.raises(ProbeError, match="status 1"):
        tmpfiles_at_boot(RecordedHost(commands={"systemd-tmpfiles --cat-config": (1, "", "broken")}), switch)
