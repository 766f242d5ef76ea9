# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What a lab leaves on the machine, found without its journal: by its paths and names in the kernel's own lists."""

from __future__ import annotations

import contextlib
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Traces:
    """Processes by pid, network namespaces by inode, and the mounts, loop devices and cgroups that name the lab."""

    processes: set[int] = field(default_factory=set)
    namespaces: set[str] = field(default_factory=set)
    mounts: set[str] = field(default_factory=set)
    loops: set[str] = field(default_factory=set)
    cgroups: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return any((self.processes, self.namespaces, self.mounts, self.loops, self.cgroups))


def of_lab(folder: Path, name: str, namespaces: set[str] | None = None) -> Traces:
    """What there is of the lab in `folder`; `namespaces` known from before are looked for in every process."""
    found = Traces()
    own = _link(Path("/proc/self/ns/net"))
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            command += (process / "environ").read_bytes().decode(errors="replace")
            groups = (process / "cgroup").read_text(encoding="utf-8")
            mounts = (process / "mountinfo").read_text(encoding="utf-8")
            net = _link(process / "ns/net")
            if not command and not mounts:
                continue  # a zombie, or a thread of the kernel
            if net in (namespaces or set()):
                found.namespaces.add(net)
            if (
                str(folder) in command
                or re.search(rf"/rampart-lab-{re.escape(name)}[/-]", groups)
                or str(folder) in mounts
            ):
                found.processes.add(int(process.name))
                found.namespaces |= {net} - {own}
                found.mounts |= {line for line in mounts.splitlines() if str(folder) in line}
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            if str(folder) in backing.read_text(encoding="utf-8"):
                found.loops.add(backing.parts[3])
    for pattern in (f"rampart-lab-{name}", f"rampart-lab-{name}-*.scope"):
        found.cgroups |= {str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{pattern}")}
    if Path("/run/systemd/system").is_dir():
        argv = ["systemctl", "list-units", "--plain", "--no-legend", f"rampart-lab-{name}-*.scope"]
        found.cgroups |= set(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines())
    return found


def root_network() -> list[str]:
    """The interfaces of the machine's own network."""
    return sorted(path.name for path in Path("/sys/class/net").iterdir())


def _link(path: Path) -> str:
    return str(path.readlink())
