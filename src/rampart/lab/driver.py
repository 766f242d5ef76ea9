# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What a driver of the lab must offer, and what it is given. `lab.py` is the only caller.

The order of calls, all under the lab's lock: `preflight`, `recipe` (the image is then built or found), `open_network`,
and for each host that does not run `start`, in parallel threads; then ssh is awaited through `endpoint`. `down` calls
`stop` for each host, `close_network`, and undoes whatever the journal still holds, newest first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from rampart.lab.plan import HostPlan, LabPlan
from rampart.lab.state import LabFolder


@dataclass(frozen=True)
class Recipe:
    """Everything that shapes an image; the hash of its fields names it in the cache.

    `packages` and `hooks` (shell commands of mmdebstrap's --customize-hook, the root is "$1") come on top of the
    common ones of images.py. `output` is what mmdebstrap leaves in the build folder: `rootfs/` (directory) or
    `rootfs.tar` (tar). `finish` is then called with the build folder, before it is renamed into place, to turn it
    into what the driver needs (a disk, kernel, initrd); raise `version` whenever `finish` changes.
    """

    driver: str
    release: str
    version: int
    packages: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    output: str = "directory"
    finish: Callable[[Path], None] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class HostFile:
    """A file that makes a host itself: name, hosts, machine id, ssh host keys, authorized key. `path` is absolute."""

    path: str
    content: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Endpoint:
    """How ssh reaches a host: address, port, and a ProxyCommand that passes a descriptor (None connects directly)."""

    address: str
    port: int = 22
    proxy_command: str | None = None


@dataclass(frozen=True)
class Context:
    """What every call gets: the plan, the lab's folder (journal, host folders), the image and the apt repository."""

    plan: LabPlan
    folder: LabFolder
    image: Path  # the folder that holds what Recipe.output or Recipe.finish left
    repository: Path  # flat apt repository, to be mounted or copied to /srv/rampart-apt
    say: Callable[[str], None]  # one line of progress for the user


class Driver(Protocol):
    """One way to make hosts. Resources are recorded in `context.folder.journal` before they are created."""

    name: str

    def preflight(self, plan: LabPlan) -> None:
        """Raise LabError naming every missing tool (with its Debian package), right or device, all at once."""

    def recipe(self, plan: LabPlan) -> Recipe:
        """The image that the lab's hosts boot."""

    def open_network(self, context: Context) -> None:
        """Create what the hosts share (idempotent)."""

    def start(self, context: Context, host: HostPlan, files: tuple[HostFile, ...]) -> None:
        """Boot a host that does not run, with `files` in place; return before ssh answers. An earlier disk is kept."""

    def running(self, context: Context, host: HostPlan) -> bool:
        """Whether the host's process is alive."""

    def endpoint(self, context: Context, host: HostPlan) -> Endpoint:
        """How ssh reaches the host; valid once `start` returned."""

    def console_log(self, context: Context, host: HostPlan) -> Path:
        """The file that receives the host's console."""

    def stop(self, context: Context, host: HostPlan) -> None:
        """End the host's process; nothing happens when it does not run."""

    def close_network(self, context: Context) -> None:
        """Remove what `open_network` made; nothing happens when there is nothing."""

    def faults(self) -> dict[str, str]:
        """The driver's own faults beyond those that work by ssh: name to one sentence (`cut-link`, `heal-link`)."""

    def inject(self, context: Context, host: HostPlan, fault: str) -> None:
        """Apply one of `faults()`."""
