# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A container keeps as it is what belongs to the machine that carries it."""

from __future__ import annotations

import pytest
from testinfra.host import Host


@pytest.mark.parametrize("package", ["rasdaemon", "intel-microcode", "amd64-microcode"])
def test_nothing_is_installed_for_hardware_that_is_not_its_own(host: Host, package: str) -> None:
    assert not host.package(package).is_installed


def test_the_host_is_a_container_so_that_the_test_says_something(host: Host) -> None:
    assert host.check_output("systemd-detect-virt --container") == "systemd-nspawn"
