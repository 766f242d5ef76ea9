# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Whether systemd may re-read its units now: a reload takes the GPUs away from containers that run without CDI.

The cause is NVIDIA/nvidia-container-toolkit#48: systemd writes the device rules of every cgroup again, without the
devices that the runtime added behind its back. Device links in /dev/char, or CDI, let systemd know them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# The runtime's own name of the container first; a path below a container slice when there is none.
_CONTAINERS = (
    re.compile(r"((?:docker|cri-containerd|crio|libpod)-[0-9a-f]{12,})"),
    re.compile(r"(/docker/[0-9a-f]{12,}|/kubepods[^:\n]*|/containerd/[^/\n]+)"),
)
_UNIT = re.compile(r"^[^.].*\.(service|socket|timer|path|mount|slice|target)$")
_GPU_DEVICE = re.compile(r"^/dev/nvidia(\d+|ctl|-uvm|-uvm-tools|-modeset)$")


@dataclass(frozen=True)
class Situation:
    """What was measured: units whose files changed since systemd read them, containers that hold a GPU device open,
    GPU devices without their link in /dev/char, and whether CDI describes the GPUs."""

    stale_units: Sequence[str]
    gpu_containers: Sequence[str]
    unlinked_devices: Sequence[str]
    cdi: bool


@dataclass(frozen=True)
class Decision:
    """`none`, `reload` or `refuse`, and why."""

    action: str
    reason: str


def decide(situation: Situation) -> Decision:
    """Return what to do; a reload is refused only when it would break something that runs."""
    if not situation.stale_units:
        return Decision("none", "systemd has read all unit files")
    stale = ", ".join(situation.stale_units)
    if not situation.gpu_containers:
        return Decision("reload", f"unit files changed ({stale}) and no container holds a GPU")
    if situation.cdi:
        return Decision("reload", f"unit files changed ({stale}) and the GPUs are described by CDI")
    if not situation.unlinked_devices:
        return Decision("reload", f"unit files changed ({stale}) and every GPU device has its link in /dev/char")
    return Decision(
        "refuse",
        f"systemd must read changed unit files ({stale}), but {len(situation.gpu_containers)} container(s) hold a GPU "
        f"without CDI and without a link in /dev/char ({', '.join(situation.unlinked_devices)}); a reload would take "
        "it from them (NVIDIA/nvidia-container-toolkit#48). Drain the host and reboot it, or run "
        "'nvidia-ctk system create-dev-char-symlinks --create-all'",
    )


def stale_units(show: str) -> list[str]:
    """Return the units that say yes in `systemctl show --property=Id,NeedDaemonReload`; an empty line ends a unit."""
    blocks = (dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in show.split("\n\n"))
    return sorted({block["Id"] for block in blocks if block.get("NeedDaemonReload") == "yes" and "Id" in block})


def named_units(entries: Iterable[str]) -> list[str]:
    """Return the units that a folder of unit files speaks of, by a file or by a folder of drop-ins; no templates."""
    names = {entry[:-2] if entry.endswith(".d") else entry for entry in entries}
    return sorted(name for name in names if _UNIT.search(name) and "@." not in name)


def container_of(cgroup: str) -> str | None:
    """Return the container in the text of /proc/<pid>/cgroup, or None for a process of the host."""
    found = (pattern.search(cgroup) for pattern in _CONTAINERS)
    return next((match.group(1) for match in found if match), None)


def gpu_containers(cgroups: Mapping[int, str], open_files: Mapping[int, Iterable[str]]) -> list[str]:
    """Return the containers that hold a GPU device open, from each process's cgroup text and open files."""
    holders = (pid for pid, files in open_files.items() if any(is_gpu_device(path) for path in files))
    found = (container_of(cgroups.get(pid, "")) for pid in holders)
    return sorted({container for container in found if container})


def is_gpu_device(path: str) -> bool:
    """Say whether a path is a device node of an NVIDIA GPU."""
    return bool(_GPU_DEVICE.match(path))
