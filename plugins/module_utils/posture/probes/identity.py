# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What kind of machine this is: real, virtual or a container; and which system it runs."""

from __future__ import annotations

import shlex
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.hardware.virtualisation import detect
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe


@probe("virt", source="systemd-detect-virt")
def virt(host: Host, params: Params) -> dict[str, str]:
    """Return {kind: baremetal|vm|container, name: such as kvm or systemd-nspawn}."""
    return detect(host)


@probe("os_release", source="/etc/os-release; /proc/sys/kernel/osrelease")
def os_release(host: Host, params: Params) -> dict[str, Any]:
    """Return {id: debian, version: "12", kernel: release of the running kernel, hostname}."""
    pairs = {}
    for line in host.read_text("/etc/os-release").splitlines():
        name, equals, value = line.partition("=")
        if equals and not name.startswith("#"):
            pairs[name.strip()] = "".join(shlex.split(value))
    return {
        "id": pairs.get("ID", ""),
        "version": pairs.get("VERSION_ID", ""),
        "kernel": host.read_text("/proc/sys/kernel/osrelease").strip(),
        "hostname": host.read_text("/proc/sys/kernel/hostname").strip(),
    }
