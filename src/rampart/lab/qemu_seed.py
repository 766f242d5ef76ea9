# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The seed disk: what makes a virtual machine itself, as a bare tar archive that the guest unpacks over its root.

Its size is fixed, since a restored machine remembers the size of the disk it saw before.
"""

from __future__ import annotations

import io
import os
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path

from rampart.lab.driver import HostFile
from rampart.lab.errors import LabError
from rampart.lab.plan import HostPlan, LabPlan
from rampart.lab.state import write_atomic

SIZE = 4 << 20
GOLDEN = b"golden\n".ljust(4096, b"\0")  # what the guest's script waits to disappear
_STATE = "/run/rampart-lab"


def write(path: Path, content: bytes) -> None:
    """A seed disk with this content; private, since host keys are in it."""
    if len(content) > SIZE:
        raise LabError(f"the files of a machine take {len(content)} bytes, and its seed disk {path} has {SIZE}")
    write_atomic(path, content.ljust(SIZE, b"\0"))


def archive(files: Iterable[HostFile]) -> bytes:
    """A tar of regular files; folders that lack are made by the guest with root's defaults."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for file in files:
            entry = tarfile.TarInfo(file.path.lstrip("/"))
            entry.size, entry.mode, entry.uid, entry.gid = len(file.content), file.mode, file.uid, file.gid
            entry.mtime = time.time()
            tar.addfile(entry, io.BytesIO(file.content))
    return sink.getvalue()


def network_files(plan: LabPlan, host: HostPlan) -> list[HostFile]:
    """The configuration of systemd-networkd: the management interface, and the rails."""
    files = [
        _network("mgmt0", f"Address={host.address}/{plan.prefix}\nGateway={plan.controller}\nLinkLocalAddressing=no\n")
    ]
    files += [_network(f"rail{rail.index}", f"Address={rail.address}/{rail.prefix}\n") for rail in host.rails]
    return files


def rail_files(host: HostPlan, kernel: str, dcbshim: Path) -> list[HostFile]:
    """The kernel module for the rails, its parameters, and the mark that starts `rampart-lab-rails.service`."""
    names = ",".join(f"rail{rail.index}" for rail in host.rails)
    return [
        HostFile(f"/usr/lib/modules/{kernel}/updates/dcbshim.ko", dcbshim.read_bytes()),
        HostFile("/etc/modprobe.d/rampart-lab-dcbshim.conf", f"options dcbshim ifnames={names}\n".encode()),
        HostFile(f"{_STATE}/rails", b""),
    ]


def restored_files(host: HostPlan) -> list[HostFile]:
    """What a machine of a restored snapshot needs besides: its own MACs, and entropy, since all begin with the same."""
    macs = [("mgmt0", host.mac), *((f"rail{rail.index}", rail.mac) for rail in host.rails)]
    text = "".join(f"{name} {mac}\n" for name, mac in macs)
    return [HostFile(f"{_STATE}/macs", text.encode()), HostFile(f"{_STATE}/entropy", os.urandom(64), 0o600)]


def _network(name: str, body: str) -> HostFile:
    text = f"[Match]\nName={name}\n\n[Network]\nDHCP=no\nIPv6AcceptRA=no\n{body}"
    return HostFile(f"/etc/systemd/network/20-{name}.network", text.encode())
