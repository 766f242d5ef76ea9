# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Keys in their forms, and what boot will set: the rules of sysctl.d(5), each with its neighbour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.sysctl.boot import boot_values, order, overridden, parse
from ansible_collections.rampart.fleet.plugins.module_utils.sysctl.keys import (
    SettingError,
    canonical,
    dotted,
    settings_of,
    spelled_out,
)
from ansible_collections.rampart.fleet.plugins.module_utils.sysctl.local import sysctl_files


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("kernel.kptr_restrict", "kernel/kptr_restrict"),
        ("net/ipv4/conf/eth0.100/rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
        ("net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
    ],
)
def test_both_notations_mean_the_same(key: str, path: str) -> None:
    assert canonical(key) == path
    assert canonical(dotted(path)) == path


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernel": 1}, "'kernel' is no sysctl key"),
        ({"kernel..x": 1}, r"'kernel\.\.x' is no sysctl key"),
        ({"../etc/passwd": 1}, "is no sysctl key"),
        ({"kernel.a b": 1}, "is no sysctl key"),
        ({"kernel.a": ""}, "kernel.a: the value '' is wrong"),
        ({"kernel.a": None}, "kernel.a: the value None is wrong"),
        ({"kernel.a": ["1"]}, "is wrong"),
        ({"kernel.a": "ü"}, "is wrong"),
        ({"kernel.a": 1, "kernel/a": 2}, "kernel/a: set twice"),
    ],
)
def test_what_is_no_setting_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        settings_of(settings)


def test_values_take_the_form_of_the_kernel() -> None:
    settings = settings_of({"net.ipv4.ip_local_port_range": "1024\t 65000", "kernel.a": True, "kernel.b": -1})
    assert settings == {"net/ipv4/ip_local_port_range": "1024 65000", "kernel/a": "1", "kernel/b": "-1"}


def test_a_file_is_read_as_boot_reads_it() -> None:
    text = "# no\n; no\n\nkernel.a = 1\n-kernel.b=2\nkernel.a= 3\nnonsense\n-net.ipv4.conf.eth0.rp_filter\n"
    assert parse(text) == {"kernel/b": "2", "kernel/a": "3", "net/ipv4/conf/eth0/rp_filter": None}


def test_a_file_in_etc_hides_its_namesake_and_names_give_the_order() -> None:
    paths = [
        "/usr/lib/sysctl.d/50-a.conf",
        "/etc/sysctl.d/50-a.conf",
        "/run/sysctl.d/99-z.conf",
        "/etc/sysctl.d/10-b.conf",
    ]
    assert order(paths) == ["/etc/sysctl.d/10-b.conf", "/etc/sysctl.d/50-a.conf", "/run/sysctl.d/99-z.conf"]


OURS = ("/etc/sysctl.d/99-rampart.conf", "kernel.a = 2\nnet.ipv4.conf.*.rp_filter = 1\n")
WANTED = {"kernel/a": "2", "net/ipv4/conf/eth0/rp_filter": "1"}


@pytest.mark.parametrize(
    ("name", "text", "lost"),
    [
        ("10-early.conf", "kernel.a = 0\n", []),
        ("99-zz.conf", "kernel.a = 0\n", ["kernel.a"]),
        ("99-zz.conf", "kernel.a = 2\n", []),
        ("99-zz.conf", "net.ipv4.conf.*.rp_filter = 0\n", ["net.ipv4.conf.eth0.rp_filter"]),
        ("99-zz.conf", "net.ipv4.conf.wlan*.rp_filter = 0\n", []),
        # An exact key wins over a pattern even from an earlier file.
        ("10-early.conf", "net.ipv4.conf.eth0.rp_filter = 0\n", ["net.ipv4.conf.eth0.rp_filter"]),
        ("99-zz.conf", "net.*.rp_filter = 0\n", []),
    ],
)
def test_a_file_that_wins_at_boot_is_named(name: str, text: str, lost: list[str]) -> None:
    path = f"/etc/sysctl.d/{name}"
    files = sorted([OURS, (path, text)])
    conflicts = overridden(WANTED, files)
    assert [conflict["key"] for conflict in conflicts] == lost
    assert {conflict["file"] for conflict in conflicts} <= {path}


def test_a_key_that_patterns_are_kept_off_is_not_set() -> None:
    files = [("/etc/sysctl.d/1.conf", "net.ipv4.conf.*.rp_filter = 1\n-net.ipv4.conf.eth0.rp_filter\n")]
    assert boot_values(files, ["net/ipv4/conf/eth0/rp_filter", "net/ipv4/conf/eth1/rp_filter"]).keys() == {
        "net/ipv4/conf/eth1/rp_filter"
    }


def test_the_files_of_a_host_are_found(tmp_path: Path) -> None:
    for folder in ("etc", "usr/lib"):
        (tmp_path / folder / "sysctl.d").mkdir(parents=True)
    (tmp_path / "usr/lib/sysctl.d/50-default.conf").write_text("kernel.a = 1\n")
    (tmp_path / "etc/sysctl.conf").write_text("kernel.a = 9\n")
    (tmp_path / "etc/sysctl.d/99-sysctl.conf").symlink_to("../sysctl.conf")
    (tmp_path / "etc/sysctl.d/70-broken.conf").symlink_to("/nowhere/at/all")
    (tmp_path / "etc/sysctl.d/README").write_text("kernel.a = 7\n")
    assert all(path.startswith("/") and not path.startswith("//") for path, _text in sysctl_files())
    files = sysctl_files(f"{tmp_path}/", instead=("/etc/sysctl.d/99-rampart.conf", "kernel.a = 2\n"))
    assert [path for path, _text in files] == [
        "/usr/lib/sysctl.d/50-default.conf",
        "/etc/sysctl.d/99-rampart.conf",
        "/etc/sysctl.d/99-sysctl.conf",
    ]
    assert overridden({"kernel/a": "2"}, files)[0]["file"] == "/etc/sysctl.d/99-sysctl.conf"


def test_what_a_pattern_says_of_all_interfaces_is_spelled_out_and_an_exact_key_beats_it() -> None:
    settings = settings_of({"net.ipv4.conf.*.rp_filter": 1, "net.ipv4.conf.all.rp_filter": 2, "net.core.*": 3})
    assert {dotted(key): value for key, value in spelled_out(settings).items()} == {
        "net.ipv4.conf.*.rp_filter": "1",
        "net.ipv4.conf.default.rp_filter": "1",
        "net.ipv4.conf.all.rp_filter": "2",
        "net.core.*": "3",
    }
