# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What boot will set: a later file wins, by its name and not by its folder."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.sysctl_at_boot import (
    sysctl_at_boot,
    sysctl_match_at_boot,
)

from .recorded_host import RecordedHost

OURS = "/etc/sysctl.d/99-rampart.conf"
KEY = {"key": "kernel.kptr_restrict"}


def at_boot(files: dict[str, Any], links: dict[str, str] | None = None, key: str = "kernel.kptr_restrict") -> Any:
    return sysctl_at_boot(RecordedHost(files=files, links=links or {}), {"key": key})


def test_the_file_that_sets_a_key_is_named() -> None:
    assert at_boot({OURS: "kernel.kptr_restrict = 2\n"}) == {"value": 2, "file": OURS, "overridden": []}


@pytest.mark.parametrize(
    ("rival", "value"),
    [
        ("/etc/sysctl.d/99-sysctl.conf", 0),
        ("/usr/lib/sysctl.d/99-zz.conf", 0),
        ("/run/sysctl.d/zz.conf", 0),
        ("/etc/sysctl.d/10-early.conf", 2),
        ("/usr/lib/sysctl.d/99-protect.conf", 2),
        # Not a .conf, and not a folder that boot reads.
        ("/etc/sysctl.d/99-zz.conf.dpkg-old", 2),
        ("/etc/sysctl.conf", 2),
    ],
)
def test_a_later_name_wins_whatever_its_folder(rival: str, value: int) -> None:
    found = at_boot({OURS: "kernel.kptr_restrict=2", rival: "kernel.kptr_restrict=0"})
    assert found["value"] == value


def test_who_lost_is_told() -> None:
    early = "/usr/lib/sysctl.d/50-default.conf"
    found = at_boot({OURS: "kernel.kptr_restrict=2", early: "-kernel.kptr_restrict = 1"})
    assert found == {"value": 2, "file": OURS, "overridden": [{"file": early, "value": 1}]}


def test_sysctl_conf_counts_through_its_link_only() -> None:
    files = {OURS: "kernel.kptr_restrict=2", "/etc/sysctl.conf": "kernel.kptr_restrict = 0"}
    link = "/etc/sysctl.d/99-sysctl.conf"
    assert at_boot(files, {link: "/etc/sysctl.conf"}) == {
        "value": 0,
        "file": link,
        "overridden": [{"file": OURS, "value": 2}],
    }


def test_a_namesake_in_etc_hides_the_file_of_a_package() -> None:
    files = {"/usr/lib/sysctl.d/60-a.conf": "kernel.kptr_restrict=2", "/etc/sysctl.d/60-a.conf": ""}
    with pytest.raises(Absent, match=r"no file of sysctl\.d sets kernel\.kptr_restrict"):
        at_boot(files)


def test_a_dangling_link_hides_as_well_and_sets_nothing() -> None:
    with pytest.raises(Absent):
        at_boot({"/usr/lib/sysctl.d/60-a.conf": "kernel.kptr_restrict=2"}, {"/etc/sysctl.d/60-a.conf": "/nowhere"})


def test_an_exact_key_beats_a_later_pattern() -> None:
    key = "net.ipv4.conf.eth0.rp_filter"
    early, late = "/etc/sysctl.d/10-a.conf", "/etc/sysctl.d/99-z.conf"
    found = at_boot({early: f"{key}=2", late: "net.ipv4.conf.*.rp_filter = 1"}, key=key)
    assert (found["value"], found["file"]) == (2, early)
    assert found["overridden"] == [{"file": late, "value": 1}]


def test_a_key_that_patterns_are_kept_off_is_set_by_nobody() -> None:
    key = "net.ipv4.conf.all.rp_filter"
    with pytest.raises(Absent):
        at_boot({"/usr/lib/sysctl.d/50-default.conf": f"net.ipv4.conf.*.rp_filter = 2\n-{key}\n"}, key=key)


def test_an_assignment_that_says_the_same_again_keeps_its_place() -> None:
    # Seen on systemd 252: the third file changes nothing, and so the second pattern has the last word on eth0.
    files = {
        "/etc/sysctl.d/10-a.conf": "net.ipv4.conf.*.shared_media=0",
        "/etc/sysctl.d/20-a.conf": "net.ipv4.conf.e*.shared_media=1",
        "/etc/sysctl.d/30-a.conf": "net.ipv4.conf.*.shared_media=0",
    }
    assert at_boot(files, key="net.ipv4.conf.eth0.shared_media")["value"] == 1
    assert at_boot(files, key="net.ipv4.conf.lo.shared_media")["value"] == 0


def test_every_interface_is_looked_at() -> None:
    files: dict[str, Any] = {f"/proc/sys/net/ipv4/conf/{name}/rp_filter": "1\n" for name in ("all", "eth0.5")}
    files[OURS] = "net.ipv4.conf.all.rp_filter = 1\n"
    found = sysctl_match_at_boot(RecordedHost(files=files), {"pattern": "net/ipv4/conf/*/rp_filter"})
    assert [(each["key"], each["value"], each["file"]) for each in found] == [
        ("net/ipv4/conf/all/rp_filter", 1, OURS),
        ("net/ipv4/conf/eth0.5/rp_filter", None, None),
    ]


def test_a_kernel_without_the_parameters_has_none_of_them() -> None:
    with pytest.raises(Absent):
        sysctl_match_at_boot(RecordedHost(), {"pattern": "net/ipv6/conf/*/accept_ra"})


def test_text_stays_text() -> None:
    assert at_boot({OURS: "kernel.core_pattern = |/bin/false"}, key="kernel.core_pattern")["value"] == "|/bin/false"


def test_a_file_that_cannot_be_read_is_an_error_and_not_empty() -> None:
    files = {OURS: "kernel.kptr_restrict=2", "/etc/sysctl.d/99-zz.conf": ProbeError("Permission denied")}
    with pytest.raises(ProbeError, match="Permission denied"):
        at_boot(files)


def test_a_path_in_the_place_of_a_key_is_refused() -> None:
    with pytest.raises(ProbeError, match="no sysctl key"):
        sysctl_at_boot(RecordedHost(), {"key": "../etc/passwd"})
