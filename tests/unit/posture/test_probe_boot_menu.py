# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the next boot would start, from recorded disks."""

from __future__ import annotations

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.boot_menu import (
    boot_entries,
    cmdline_at_boot,
)

from .recorded_host import RecordedHost

MENU = """\
set default="0"
set superusers="root"
password_pbkdf2 root grub.pbkdf2.sha512.10000.AA.BB
menuentry 'one' --unrestricted {
  linux /boot/vmlinuz root=/dev/sda1 audit=1 audit_backlog_limit=8192 page_alloc.shuffle=1
}
menuentry 'repair' {
  linux /boot/vmlinuz root=/dev/sda1 single
}
if [ -f $prefix/custom.cfg ]; then
  source $prefix/custom.cfg
fi
"""


def test_the_command_line_of_the_entry_that_starts_by_itself() -> None:
    found = cmdline_at_boot(RecordedHost(files={"/boot/grub/grub.cfg": MENU}), {})
    assert (found["loader"], found["title"], found["params"]["audit"]) == ("grub", "one", "1")
    assert "page_alloc.shuffle=1" in found["words"]


def test_the_entries_and_who_may_change_them() -> None:
    found = boot_entries(RecordedHost(files={"/boot/grub/grub.cfg": MENU}), {})
    assert (found["superusers"], found["protected"]) == (["root"], True)
    assert found["default"] == {"title": "one", "unrestricted": True, "recovery": False}
    assert [entry["recovery"] for entry in found["entries"]] == [False, True]


def test_what_somebody_adds_by_hand_counts_when_the_menu_reads_it() -> None:
    custom = "set superusers=''\nset default=1\n"
    files = {"/boot/grub/grub.cfg": MENU, "/boot/grub/custom.cfg": custom}
    found = boot_entries(RecordedHost(files=files), {})
    assert (found["protected"], found["default"]["title"]) == (False, "repair")
    files["/boot/grub/grub.cfg"] = MENU[: MENU.index("if [")]
    assert boot_entries(RecordedHost(files=files), {})["protected"] is True


def test_systemd_boot_starts_the_newest_entry_that_its_pattern_matches() -> None:
    folder = "/boot/efi/loader"
    files = {
        f"{folder}/loader.conf": "default debian-*\ntimeout 3\n",
        f"{folder}/entries/debian-6.1.conf": "title Debian\nlinux /k-6.1\noptions root=/dev/sda1 audit=0\n",
        f"{folder}/entries/debian-6.2.conf": "title Debian\nlinux /k-6.2\noptions root=/dev/sda1\noptions audit=1\n",
        f"{folder}/entries/zz-other.conf": "title Other\nlinux /k\n",
    }
    found = cmdline_at_boot(RecordedHost(files=files), {})
    assert (found["loader"], found["kernel"], found["params"]["audit"]) == ("systemd-boot", "/k-6.2", "1")


def test_a_host_that_is_started_from_elsewhere_has_no_menu() -> None:
    for kind in (cmdline_at_boot, boot_entries):
        with pytest.raises(Absent):
            kind(RecordedHost(), {})


def test_a_menu_that_cannot_be_read_or_starts_nothing_is_an_error_and_no_answer() -> None:
    for content in ("no menu", ProbeError("Permission denied")):
        for kind in (cmdline_at_boot, boot_entries):
            with pytest.raises(ProbeError):
                kind(RecordedHost(files={"/boot/grub/grub.cfg": content}), {})
