# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Kernel parameters."""

from __future__ import annotations

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.sysctl import key_path, sysctl

from .recorded_host import RecordedHost


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("kernel.kptr_restrict", "/proc/sys/kernel/kptr_restrict"),
        ("net/ipv4/conf/eth0.100/rp_filter", "/proc/sys/net/ipv4/conf/eth0.100/rp_filter"),
        ("net.ipv4.conf.eth0/100.rp_filter", "/proc/sys/net/ipv4/conf/eth0.100/rp_filter"),
    ],
)
def test_a_key_names_its_file_as_in_sysctl_8(key: str, path: str) -> None:
    assert key_path(key) == path


@pytest.mark.parametrize(
    ("text", "value"),
    [("2\n", 2), ("-1\n", -1), ("4096\t87380\t6291456\n", "4096 87380 6291456"), ("|/bin/false\n", "|/bin/false")],
)
def test_numbers_are_ints_and_all_else_is_text(text: str, value: object) -> None:
    host = RecordedHost(files={"/proc/sys/kernel/x": text})
    assert sysctl(host, {"key": "kernel.x"}) == value


def test_a_key_that_the_kernel_lacks_is_absent() -> None:
    with pytest.raises(Absent, match="/proc/sys/kernel/none"):
        sysctl(RecordedHost(), {"key": "kernel.none"})


def test_a_path_in_the_place_of_a_key_is_refused() -> None:
    with pytest.raises(ProbeError, match="no sysctl key"):
        sysctl(RecordedHost(), {"key": "kernel/../../etc/shadow"})
