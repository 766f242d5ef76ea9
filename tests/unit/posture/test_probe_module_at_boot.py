# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What modprobe makes of a request: the first `install` line counts, and a file of /etc hides its namesake."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.module_at_boot import (
    kernel_modules,
    module_at_boot,
)

from .recorded_host import RecordedHost

OURS = "/etc/modprobe.d/rampart.conf"
BLOCK = "blacklist dccp\ninstall dccp /bin/false\n"


def at_boot(files: dict[str, Any], name: str = "dccp", links: dict[str, str] | None = None) -> Any:
    return module_at_boot(RecordedHost(files=files, links=links or {}), {"name": name})


def test_a_block_is_seen() -> None:
    assert at_boot({OURS: BLOCK}) == {
        "refused": True,
        "install": "/bin/false",
        "file": OURS,
        "overridden": [],
        "blacklisted": True,
        "requested_by": [],
    }


def test_nothing_said_is_no_refusal() -> None:
    found = at_boot({"/etc/modprobe.d/x.conf": "options dccp a=1\n# install dccp /bin/false\n"})
    assert (found["refused"], found["install"], found["blacklisted"]) == (False, None, False)


@pytest.mark.parametrize(
    "command", ["/sbin/modprobe --ignore-install dccp", "/bin/falsehood", "/bin/sh -c /bin/false", "false"]
)
def test_another_command_is_no_refusal(command: str) -> None:
    assert not at_boot({OURS: f"install dccp {command}\n"})["refused"]


@pytest.mark.parametrize("command", ["/bin/false", "/usr/bin/false", "/bin/true", "/bin/false $CMDLINE_OPTS"])
def test_what_refuses(command: str) -> None:
    assert at_boot({OURS: f"install dccp {command}\n"})["refused"]


def test_the_first_line_by_name_of_file_counts() -> None:
    site = "/usr/lib/modprobe.d/a-site.conf"
    found = at_boot({OURS: BLOCK, site: "install dccp /sbin/modprobe -i dccp\n"})
    assert not found["refused"] and found["file"] == site
    assert found["overridden"] == [{"file": OURS, "command": "/bin/false"}]


def test_a_pattern_counts_as_well() -> None:
    assert not at_boot({OURS: BLOCK, "/etc/modprobe.d/a.conf": "install dcc? /sbin/modprobe -i $MODPROBE\n"})["refused"]


def test_a_namesake_in_etc_hides_the_file_of_a_package() -> None:
    package = "/usr/lib/modprobe.d/rampart.conf"
    assert at_boot({package: BLOCK})["refused"]
    assert not at_boot({package: BLOCK, OURS: ""})["refused"]
    assert not at_boot({package: BLOCK}, links={OURS: "/nowhere"})["refused"]


def test_dashes_underscores_and_long_lines() -> None:
    files = {OURS: "install usb_storage \\\n  /bin/false\n"}
    assert at_boot(files, "usb-storage")["refused"]
    assert at_boot(files, "usb_storage")["install"] == "/bin/false"


def test_who_asks_for_it_at_boot_is_told() -> None:
    files = {"/etc/modules": "# the old place\ndccp\n"}
    link = "/etc/modules-load.d/modules.conf"
    assert at_boot(files, links={link: "/etc/modules"})["requested_by"] == [link]


def test_a_file_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ProbeError):
        at_boot({OURS: BLOCK, "/etc/modprobe.d/a.conf": ProbeError("Permission denied")})


KERNEL = {
    "/proc/sys/kernel/osrelease": "6.1.0-28-amd64\n",
    "/lib/modules/6.1.0-28-amd64/modules.dep": "kernel/net/dccp/dccp.ko:\nkernel/fs/ufs/ufs.ko.xz: kernel/a.ko\n",
    "/lib/modules/6.1.0-28-amd64/modules.builtin": "kernel/fs/ext4/ext4.ko\n",
    "/proc/modules": "ufs 1 0 - Live 0x0\n",
}


def modules(files: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    return kernel_modules(RecordedHost(files={**KERNEL, **files}), {"names": list(names)})


def test_a_list_of_modules_is_told_one_by_one() -> None:
    dccp, ufs, ext4, gone = modules({OURS: BLOCK}, "dccp", "ufs", "ext4", "decnet")
    assert (dccp["loaded"], dccp["available"], dccp["loadable"], dccp["refused"]) == (False, True, False, True)
    assert (ufs["loaded"], ufs["loadable"], ufs["refused"]) == (True, True, False)
    assert (ext4["builtin"], ext4["loadable"]) == (True, True)
    assert (gone["available"], gone["loadable"], gone["refused"]) == (False, False, False)


def test_an_unblocked_module_is_loadable() -> None:
    assert modules({}, "dccp")[0]["loadable"]


def test_a_kernel_whose_modules_cannot_be_listed_is_not_one_without_them() -> None:
    with pytest.raises(Absent):
        kernel_modules(RecordedHost(files={"/proc/sys/kernel/osrelease": "6.1.0\n"}), {"names": ["dccp"]})
