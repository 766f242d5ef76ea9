# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Accounts, groups, packages."""

from __future__ import annotations

import json
import stat
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import FileStat
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.accounts import groups, users
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.package import package

from .recorded_host import RecordedHost

HASH = "$y$j9T$abcdefghijk$0123456789abcdefghijk"
FILES = {
    "/etc/passwd": (
        "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/usr/sbin:/usr/sbin/nologin\n"
        "ann:x:1000:1000::/home/ann:/bin/bash\nbob:x:1001:1000::/home/bob:/bin/bash\ntoor:x:0:0::/root:\n"
        "eve:x:1002:1002::/home/eve:/bin/sh\n"
    ),
    "/etc/shadow": (
        f"root:*:19000:0:99999:7:::\ndaemon:*:19000::::::\nann:{HASH}:19500:1:365:7:30::\n"
        f"bob:!{HASH}:19500:0:99999:7:::\ntoor::19000:0:99999:7:::\neve:$6$s$h{'x' * 20}:19000:0:99999:7:::\n"
    ),
    "/etc/group": "root:x:0:\ndaemon:x:1:\nann:x:1000:\nsudo:x:27:ann,bob\nwheel:x:27:\n",
}


def host(**changes: Any) -> RecordedHost:
    home = FileStat(mode=stat.S_IFDIR | 0o750, uid=1000, gid=1000)
    return RecordedHost(files={**FILES, **changes}, stats={"/home/ann": home}, users={0: "root", 1000: "ann"})


def by_name(only: str = "all") -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in users(host(), {"only": only})}


def test_accounts_tell_how_they_log_in() -> None:
    found = by_name()
    assert {name: one["password"] for name, one in found.items()} == {
        "root": "none",
        "daemon": "none",
        "ann": "set",
        "bob": "locked",
        "toor": "empty",
        "eve": "set",
    }
    ann = found["ann"]
    assert (ann["hash"], ann["min_days"], ann["max_days"], ann["inactive_days"], ann["expire_day"]) == (
        "yescrypt",
        1,
        365,
        30,
        None,
    )
    assert (ann["home_mode"], ann["home_owner"], ann["groups"], ann["group"]) == ("0750", "ann", ["sudo"], "ann")
    assert (found["bob"]["home_exists"], found["eve"]["group"], found["eve"]["hash"]) == (False, None, "sha512")
    assert (found["daemon"]["login"], found["toor"]["login"]) == (False, True)
    assert found["toor"]["uid_shared"]


def test_no_password_leaves_the_host() -> None:
    assert "0123456789abcdefghijk" not in json.dumps(users(host(), {}))


def test_accounts_can_be_narrowed() -> None:
    assert set(by_name("uid0")) == {"root", "toor"}
    assert set(by_name("people")) == {"ann", "bob", "eve"}
    assert set(by_name("system")) == {"daemon"}
    assert set(by_name("login")) == {"root", "ann", "bob", "toor", "eve"}
    with pytest.raises(ProbeError, match="humans"):
        by_name("humans")


def test_the_border_between_people_and_system_is_that_of_login_defs() -> None:
    found = users(host(**{"/etc/login.defs": "# UID_MIN 5\nUID_MIN\t1002\n"}), {"only": "people"})
    assert [one["name"] for one in found] == ["eve"]


def test_shadow_that_may_not_be_read_is_an_error_and_not_a_host_without_passwords() -> None:
    with pytest.raises(ProbeError, match="shadow"):
        users(host(**{"/etc/shadow": ProbeError("/etc/shadow cannot be read: Permission denied")}), {})


def test_a_broken_line_is_named_without_what_it_holds() -> None:
    with pytest.raises(ProbeError) as told:
        users(host(**{"/etc/shadow": f"ann:{HASH}\n"}), {})
    assert "ann" in str(told.value)
    assert HASH not in str(told.value)


def test_groups_have_members_and_shared_numbers() -> None:
    found = {one["name"]: one for one in groups(host(), {})}
    assert (found["sudo"]["members"], found["sudo"]["gid_shared"]) == (["ann", "bob"], True)
    assert found["ann"]["primary_of"] == ["ann", "bob"]


STATUS = """\
Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2.15-2+b8
Description: shell
 Package: not a field

Package: telnet
Status: deinstall ok config-files
Version: 0.17

Package: nvidia-driver
Status: hold ok installed
Architecture: amd64
Version: 535.1-1
"""


def test_packages_are_what_dpkg_calls_installed() -> None:
    machine = RecordedHost(files={"/var/lib/dpkg/status": STATUS})
    assert package(machine, {"name": "bash"}) == {"version": "5.2.15-2+b8", "architecture": "amd64", "held": False}
    assert package(machine, {"name": "nvidia-driver"})["held"]
    for name in ("telnet", "nmap"):
        with pytest.raises(Absent, match=name):
            package(machine, {"name": name})
