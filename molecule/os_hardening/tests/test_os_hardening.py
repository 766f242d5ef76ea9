# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A hardened system as an ordinary user and the kernel see it. A container has network settings of its own only."""

from __future__ import annotations

import pytest
from testinfra.host import Host

USER = "molecule"


@pytest.fixture(scope="module", autouse=True)
def user(host: Host) -> None:
    """An ordinary account, made after the host was hardened."""
    if not host.user(USER).exists:
        host.check_output(f"useradd --create-home --shell /bin/bash {USER}")


def as_user(host: Host, script: str) -> tuple[int, str]:
    """Run a script in a login shell of the ordinary account: exit code and all output."""
    done = host.run(f"runuser --login {USER} --command %s", f"{{ {script}; }} 2>&1; echo status=$?")
    output, _, status = str(done.stdout).rpartition("status=")
    return int(status), output.strip()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("net.ipv4.conf.all.accept_redirects", 0),
        ("net.ipv4.conf.all.send_redirects", 0),
        ("net.ipv4.conf.all.accept_source_route", 0),
        ("net.ipv6.conf.all.accept_redirects", 0),
        ("net.ipv4.tcp_syncookies", 1),
        ("net.ipv6.conf.all.accept_ra", 0),
        ("net.ipv6.conf.default.autoconf", 0),
        ("net.ipv4.conf.all.arp_announce", 2),
        ("net.ipv4.conf.default.route_localnet", 0),
    ],
)
def test_the_network_is_not_led_astray(host: Host, key: str, value: int) -> None:
    assert host.sysctl(key) == value


def test_an_interface_that_comes_later_gets_the_same_settings(host: Host) -> None:
    host.check_output("ip link add molecule0 type dummy || ip link add molecule0 type veth peer name molecule1")
    try:
        assert host.sysctl("net.ipv4.conf.molecule0.accept_redirects") == 0
        assert host.sysctl("net.ipv4.conf.molecule0.accept_source_route") == 0
    finally:
        host.check_output("ip link del molecule0")


def test_the_table_names_what_holds_for_all_interfaces(host: Host) -> None:
    lines = host.file("/etc/sysctl.d/99-rampart.conf").content_string.splitlines()
    assert {"net.ipv4.conf.all.rp_filter = 1", "net.ipv4.conf.default.rp_filter = 1"} <= set(lines)


def test_nothing_dumps_core(host: Host) -> None:
    status, output = as_user(host, "ulimit -c")
    assert (status, output) == (0, "0")
