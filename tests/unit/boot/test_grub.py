# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What a menu of GRUB starts, from the shape that grub-mkconfig gives it."""

from __future__ import annotations

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.boot import grub

MENU = """\
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
else
   set default="0"
fi
if [ x"${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
function load_video {
  if [ x$feature_all_video_module = xy ]; then
    insmod all_video
  fi
}
set superusers="root"
password_pbkdf2 root grub.pbkdf2.sha512.10000.AA.BB
menuentry 'Debian GNU/Linux' --unrestricted --class debian $menuentry_id_option 'gnulinux-simple-1' {
	load_video
	if [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
	linux	/boot/vmlinuz-6.1 root=UUID=1 ro audit=1 quiet $vt_handoff
	initrd	/boot/initrd.img-6.1
}
submenu 'Advanced options' $menuentry_id_option 'gnulinux-advanced-1' {
	menuentry 'Debian, with Linux 6.1' --class debian $menuentry_id_option 'gnulinux-6.1-advanced-1' {
		linux	/boot/vmlinuz-6.1 root=UUID=1 ro audit=1 quiet
	}
	menuentry 'Debian, with Linux 6.1 (recovery mode)' $menuentry_id_option 'gnulinux-6.1-recovery-1' {
		linux	/boot/vmlinuz-6.1 root=UUID=1 ro single audit=1
	}
}
menuentry 'UEFI Firmware Settings' { fwsetup
}
"""


def test_the_entries_the_users_and_the_one_that_starts_by_itself() -> None:
    menu = grub.read([MENU], {})
    assert [(entry.place, entry.unrestricted, entry.recovery) for entry in menu.entries] == [
        ((0,), True, False),
        ((1, 0), False, False),
        ((1, 1), False, True),
    ]
    assert (menu.superusers, menu.protected) == (["root"], True)
    first = menu.default()
    assert (first.kernel, first.arguments) == ("/boot/vmlinuz-6.1", "root=UUID=1 ro audit=1 quiet")
    assert first.initrds == ("/boot/initrd.img-6.1",)


@pytest.mark.parametrize(
    ("wanted", "title"),
    [
        ("1>1", "Debian, with Linux 6.1 (recovery mode)"),
        ("gnulinux-advanced-1>gnulinux-6.1-advanced-1", "Debian, with Linux 6.1"),
        ("Advanced options>0", "Debian, with Linux 6.1"),
        ("gnulinux-simple-1", "Debian GNU/Linux"),
        ("7", "Debian GNU/Linux"),
        ("no such", "Debian GNU/Linux"),
    ],
)
def test_the_default_is_a_number_a_title_or_an_id_by_level(wanted: str, title: str) -> None:
    assert grub.read([MENU.replace('default="0"', f'default="{wanted}"')], {}).default().title == title


def test_what_is_to_start_once_and_what_was_saved_come_from_grubenv() -> None:
    environment = grub.environment_block("# GRUB Environment Block\nnext_entry=1>1\nsaved_entry=1>0\n####")
    assert grub.read([MENU], environment).default().recovery
    saved = grub.read([MENU.replace('default="0"', 'default="${saved_entry}"')], {"saved_entry": "1>0"})
    assert saved.default().place == (1, 0)


def test_what_is_read_later_wins() -> None:
    later = "set superusers=''\nset default='mine'\nmenuentry 'mine' {\n linux /boot/vmlinuz init=/bin/sh\n}\n"
    menu = grub.read([MENU, later], {})
    assert (menu.superusers, menu.protected, menu.default().arguments) == ([], False, "init=/bin/sh")


def test_a_password_in_the_clear_or_of_another_protects_nothing() -> None:
    assert not grub.read([MENU.replace("password_pbkdf2 root", "password root")], {}).protected
    assert not grub.read([MENU.replace("password_pbkdf2 root", "password_pbkdf2 other")], {}).protected


@pytest.mark.parametrize("text", ["", "}\n}\nfi\nelse", "menuentry 'x' {", "set default='", "\0\0"])
def test_what_is_no_menu_starts_nothing(text: str) -> None:
    with pytest.raises(grub.MenuError):
        grub.read([text], {}).default()
