# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What kind of machine this is: real, virtual or a container; and which system it runs."""

from __future__ import annotations

import re
import shlex
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

# What systemd-detect-virt(1) names in its table of containers.
_CONTAINERS = ("openvz", "lxc", "lxc-libvirt", "systemd-nspawn", "docker", "podman", "rkt", "wsl", "proot", "pouch")

_NAME = re.compile(r"[a-z0-9-]+")


@probe("virt", source="systemd-detect-virt")
def virt(host: Host, params: Params) -> dict[str, str]:
    """Return {kind: baremetal|vm|container, name: such as kvm or systemd-nspawn}."""
    # It ends with 1 and says none on bare metal.
    answer = host.run(["systemd-detect-virt"])
    name = answer.stdout.strip()
    if answer.rc not in (0, 1) or not _NAME.fullmatch(name):
        raise ProbeError(f"systemd-detect-virt ended with {answer.rc} and said {name!r}: {answer.stderr.strip()}")
    if name == "none":
        return {"kind": "baremetal", "name": name}
    return {"kind": "container" if name in _CONTAINERS or name == "container-other" else "vm", "name": name}


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
