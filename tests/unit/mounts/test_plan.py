# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Mount options: what the kernel has against what is wanted."""

from __future__ import annotations

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.mounts.plan import MountError, check, decide, mount_table

TABLE = r"""22 1 0:20 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/a
23 22 0:21 / /tmp rw,nosuid,nodev - tmpfs tmpfs rw,size=4k
24 22 0:22 / /proc rw,nosuid,nodev,noexec - proc proc rw,hidepid=invisible
25 22 0:23 / /mnt/a\040b rw - tmpfs tmpfs rw
26 23 0:24 / /tmp rw,nosuid - tmpfs tmpfs rw
"""


def test_the_upper_mount_counts_and_escapes_are_read() -> None:
    table = mount_table(TABLE)
    assert table["/tmp"] == ("rw", "nosuid")
    assert "/mnt/a b" in table


def test_only_what_is_missing_is_added() -> None:
    plan = decide(
        {"/tmp": ["nosuid", "nodev", "noexec"], "/proc": ["hidepid=2", "noexec"], "/var/tmp": ["nosuid"]}, TABLE
    )
    assert [(step.path, step.add) for step in plan.remounts] == [("/tmp", ("nodev", "noexec"))]
    assert plan.skipped == [{"path": "/var/tmp", "reason": "/var/tmp is no mount point of its own"}]


def test_hidepid_is_compared_by_its_meaning() -> None:
    assert decide({"/proc": ["hidepid=invisible"]}, TABLE).remounts == []
    assert decide({"/proc": ["hidepid=1"]}, TABLE).remounts[0].add == ("hidepid=1",)
    assert decide({"/tmp": ["hidepid=0"]}, TABLE).remounts == []


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"tmp": ["noexec"]}, "tmp: wanted an absolute path"),
        ({"/tmp/": ["noexec"]}, "/tmp/: wanted an absolute path"),
        ({"/tmp": ["exec"]}, "/tmp: option 'exec', wanted nosuid"),
        ({"/tmp": ["noexec,exec"]}, "option 'noexec,exec'"),
        ({"/proc": ["hidepid=3"]}, "option 'hidepid=3'"),
    ],
)
def test_what_does_not_restrict_is_refused(wanted: dict[str, list[str]], message: str) -> None:
    with pytest.raises(MountError, match=message):
        check(wanted)
