# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The menu that GRUB shows after the next boot, read word by word, and what a broken setting does to it."""

from __future__ import annotations

import re

from testinfra.host import Host

MENU = "/boot/grub/grub.cfg"


def kernel_lines(host: Host) -> list[list[str]]:
    """The words of every line that starts a kernel."""
    lines = host.check_output(f"cat {MENU}").splitlines()
    return [line.split() for line in lines if re.match(r"\s*linux\s", line)]


def test_every_entry_starts_a_hardened_kernel(host: Host) -> None:
    found = kernel_lines(host)
    assert found
    for words in found:
        assert {"audit=1", "audit_backlog_limit=8192", "apparmor=1", "security=apparmor", "slab_nomerge"} <= set(words)
        assert not {"mitigations=off", "audit=0", "nokaslr", "single"} & set(words)


def test_what_the_site_gave_the_kernel_is_still_there(host: Host) -> None:
    for words in kernel_lines(host):
        assert 'dyndbg="file drivers/* +p"' in " ".join(words).replace("\\", "")
    assert any("quiet" in words for words in kernel_lines(host))


def test_an_entry_starts_by_itself_and_is_changed_with_a_password(host: Host) -> None:
    menu = host.check_output(f"cat {MENU}")
    assert re.search(r'^set superusers="root"$', menu, re.M)
    assert re.search(r"^password_pbkdf2 root grub\.pbkdf2\.sha512\.", menu, re.M)
    entries = re.findall(r"^\s*(?:menuentry|submenu) .*'gnulinux", menu, re.M)
    assert entries
    assert all("--unrestricted" in entry for entry in entries)


def test_the_menu_is_a_valid_script_for_root_alone(host: Host) -> None:
    host.check_output(f"grub-script-check {MENU}")
    assert host.file(MENU).mode == 0o600
    assert host.file("/boot/initrd.img-6.1.0-1-amd64").mode & 0o077 == 0


def test_an_update_of_the_kernel_makes_the_same_menu(host: Host) -> None:
    before = host.check_output(f"cat {MENU}")
    host.check_output("update-grub")
    assert host.check_output(f"cat {MENU}") == before
    assert host.file(MENU).mode == 0o600


def test_the_console_gives_nobody_a_shell(host: Host) -> None:
    assert host.run("systemctl is-enabled debug-shell.service").stdout.strip() == "masked"
