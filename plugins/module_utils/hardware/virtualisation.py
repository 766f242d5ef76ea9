# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a host is a machine, a virtual one, or a container that shows the hardware of what carries it."""

from __future__ import annotations

import re

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host

# What systemd-detect-virt(1) names in its table of containers.
_CONTAINERS = ("openvz", "lxc", "lxc-libvirt", "systemd-nspawn", "docker", "podman", "rkt", "wsl", "proot", "pouch")

_NAME = re.compile(r"[a-z0-9-]+")


def detect(host: Host) -> dict[str, str]:
    """Return {kind: baremetal|vm|container, name: such as kvm or systemd-nspawn}."""
    # It ends with 1 and says none on bare metal.
    answer = host.run(["systemd-detect-virt"])
    name = answer.stdout.strip()
    if answer.rc not in (0, 1) or not _NAME.fullmatch(name):
        raise ProbeError(f"systemd-detect-virt ended with {answer.rc} and said {name!r}: {answer.stderr.strip()}")
    if name == "none":
        return {"kind": "baremetal", "name": name}
    return {"kind": "container" if name in _CONTAINERS or name == "container-other" else "vm", "name": name}
