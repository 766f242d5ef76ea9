# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Shells for repairs and the making of initial RAM disks, from recorded hosts."""

from __future__ import annotations

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.initramfs import initramfs_settings
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.rescue_shell import rescue_shell

from .recorded_host import Outcome, RecordedHost

SHOW = "systemctl show --property=LoadState,ExecStart,Environment -- rescue.service"
UNIT = "/lib/systemd/system/rescue.service"
DROP_IN = "/etc/systemd/system/rescue.service.d/x.conf"
SHOWN = """\
LoadState=loaded
Environment=HOME=/root
ExecStart={ path=/lib/systemd/systemd-sulogin-shell ; argv[]=/lib/systemd/systemd-sulogin-shell rescue ; pid=0 }
"""
FILE = "[Service]\nEnvironment=HOME=/root\nExecStart=-/lib/systemd/systemd-sulogin-shell rescue\n"


def measured(show: Outcome = SHOWN, drop_in: str = "", unit: str = FILE) -> tuple[bool, bool]:
    files = {UNIT: unit, DROP_IN: f"[Service]\n{drop_in}"}
    found = rescue_shell(RecordedHost(files=files, commands={SHOW: show}), {"unit": "rescue.service"})
    return found["asks"], found["asks_at_boot"]


def test_sulogin_asks() -> None:
    assert measured() == (True, True)


@pytest.mark.parametrize(
    "drop_in",
    [
        "Environment=SYSTEMD_SULOGIN_FORCE=1\n",
        "ExecStart=\nExecStart=-/bin/bash\n",
        "ExecStart=-/bin/sh\n",
        "ExecStart=\n",
    ],
)
def test_a_drop_in_that_lets_everybody_in_is_seen_before_it_is_in_force(drop_in: str) -> None:
    assert measured(drop_in=drop_in) == (True, False)


def test_what_is_in_force_may_be_worse_than_what_is_on_the_disk() -> None:
    assert measured(show=SHOWN.replace("systemd-sulogin-shell", "bash")) == (False, True)
    assert measured(show=SHOWN.replace("HOME=/root", "SYSTEMD_SULOGIN_FORCE=1")) == (False, True)


def test_a_force_that_is_switched_off_lets_nobody_in() -> None:
    assert measured(drop_in="Environment=SYSTEMD_SULOGIN_FORCE=0\n") == (True, True)


def test_what_cannot_be_told_is_never_a_pass() -> None:
    assert measured(show="LoadState=loaded\n", unit="") == (False, False)
    with pytest.raises(ProbeError):
        measured(show=(1, "", "Failed to connect to bus"))
    with pytest.raises(Absent):
        measured(show="LoadState=not-found\n")


def test_a_masked_shell_lets_nobody_in() -> None:
    host = RecordedHost(
        commands={SHOW: "LoadState=masked\n"},
        links={"/etc/systemd/system/rescue.service": "/dev/null"},
    )
    found = rescue_shell(host, {"unit": "rescue.service"})
    assert (found["asks"], found["asks_at_boot"]) == (True, True)


def test_the_later_file_of_initramfs_tools_wins() -> None:
    folder = "/etc/initramfs-tools"
    files = {
        f"{folder}/initramfs.conf": "MODULES=most\n# UMASK=0022\n",
        f"{folder}/conf.d/rampart": "UMASK=0077\n",
        f"{folder}/conf.d/old.dpkg-old": "UMASK=0000\n",
    }
    assert initramfs_settings(RecordedHost(files=files), {}) == {"MODULES": "most", "UMASK": "0077"}
    files[f"{folder}/conf.d/zz"] = "UMASK='0022'\n"
    assert initramfs_settings(RecordedHost(files=files), {})["UMASK"] == "0022"
    with pytest.raises(Absent):
        initramfs_settings(RecordedHost(), {})
