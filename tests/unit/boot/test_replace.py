# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A new menu takes the place of the old one only when the host comes up with it."""

from __future__ import annotations

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.boot.replace import Refused, judge, waiting

OLD = "menuentry 'a' {\n linux /vmlinuz root=UUID=1 ro\n initrd /initrd.img\n}\n"
DISK = {"/boot/vmlinuz", "/boot/initrd.img"}


def exists(path: str) -> bool:
    return path in DISK


def test_a_menu_that_starts_what_is_there_is_taken() -> None:
    entry = judge(OLD.replace(" ro\n", " ro audit=1\n"), OLD, {}, exists)
    assert waiting(entry, "BOOT_IMAGE=/vmlinuz root=UUID=1 ro") == ["audit=1"]


def test_a_device_before_the_path_is_no_part_of_it() -> None:
    assert judge(OLD.replace("/vmlinuz", "(hd0,gpt2)/vmlinuz"), OLD, {}, exists).kernel == "(hd0,gpt2)/vmlinuz"


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("", "no entry"),
        (OLD.replace("/vmlinuz", "/vmlinuz-9"), "/vmlinuz-9, which is not there"),
        (OLD.replace("/initrd.img", "/initrd-9"), "/initrd-9, which is not there"),
        (OLD.replace("UUID=1", "UUID=2"), "root=UUID=2, the menu in use has root=UUID=1"),
        (OLD.replace("root=UUID=1", ""), "no root="),
    ],
)
def test_a_menu_that_would_not_start_the_host_is_refused(new: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        judge(new, OLD, {}, exists)
