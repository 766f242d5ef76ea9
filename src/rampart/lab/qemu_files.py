# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Where the files and sockets of a lab's machines are, and how a planned host becomes a machine."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from rampart.lab import qemu_image
from rampart.lab.errors import LabError
from rampart.lab.plan import HostPlan, LabPlan
from rampart.lab.qemu_machine import Firmware, Machine, Nic
from rampart.lab.qemu_preflight import FIRMWARE_CODE
from rampart.lab.state import LabFolder

_SOCKET_PATH_MAX = 85  # of 107 bytes; the rest is for the socket's own name


@dataclass(frozen=True)
class Sockets:
    """The folder of a lab's sockets, and their names. Made private to the user: QMP rules its machine."""

    folder: Path

    @classmethod
    def of(cls, lab: LabFolder) -> Sockets:
        """Inside the lab's folder, or in /tmp when that path is too long for a Unix socket."""
        inside = lab.path / "sockets"
        if len(str(inside)) <= _SOCKET_PATH_MAX:
            return cls(inside)
        digest = hashlib.sha256(str(lab.path).encode()).hexdigest()[:12]
        return cls(Path("/tmp") / f"rampart-qemu-{os.getuid()}-{digest}")

    def create(self) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        owner = self.folder.lstat()
        if owner.st_uid != os.getuid() or owner.st_mode & 0o77 or self.folder.is_symlink():
            raise LabError(f"{self.folder} is not a private folder of this user; remove it")

    def qmp(self, index: int) -> Path:
        return self.folder / f"qmp.{index}"

    def tpm(self, index: int) -> Path:
        return self.folder / f"tpm.{index}"

    def nic(self, index: int, rail: int) -> Path:
        return self.folder / f"rail{rail}.{index}"

    def switch(self, rail: int) -> Path:
        return self.folder / f"rail{rail}.switch"


@dataclass(frozen=True)
class Files:
    """The files of one machine. Disk, extra disk, TPM and variables outlive a power cut."""

    folder: Path

    @property
    def disk(self) -> Path:
        return self.folder / "disk.qcow2"

    @property
    def extra_disk(self) -> Path:
        return self.folder / "extra.qcow2"

    @property
    def seed(self) -> Path:
        return self.folder / "seed.img"

    @property
    def variables(self) -> Path:
        return self.folder / "uefi-variables.fd"

    @property
    def tpm(self) -> Path:
        return self.folder / "tpm"

    @property
    def image(self) -> Path:
        """Holds the path of the image that the disk is based on: a newer image has another kernel's modules."""
        return self.folder / "image"

    @property
    def port(self) -> Path:
        return self.folder / "port"

    @property
    def console(self) -> Path:
        return self.folder / "console.log"

    @property
    def log(self) -> Path:
        return self.folder / "qemu.log"


def machine(
    plan: LabPlan, host: HostPlan, files: Files, sockets: Sockets, image: Path, share: Path, accel: str
) -> Machine:
    """The machine that boots the host's disk. Pure."""
    spec = host.spec
    rails = [Nic(rail.mac, sockets.nic(host.index, rail.index), sockets.switch(rail.index)) for rail in host.rails]
    return Machine(
        name=f"rampart-{plan.name}-{host.name}",
        accel=accel,
        cpus=spec.cpus,
        memory_mib=spec.memory_mib,
        kernel=image / qemu_image.KERNEL,
        initrd=image / qemu_image.INITRD,
        cmdline=" ".join([qemu_image.cmdline(accel), f"systemd.machine_id={host.machine_id}", *spec.kernel_words]),
        disk=files.disk,
        seed=files.seed,
        share=share,
        share_tag=qemu_image.REPOSITORY_TAG,
        console=files.console,
        qmp=sockets.qmp(host.index),
        network=plan.network,
        controller=plan.controller,
        address=host.address,
        management=Nic(host.mac),
        rails=tuple(rails),
        extra_disk=files.extra_disk if spec.extra_disk_mib else None,
        tpm=sockets.tpm(host.index) if spec.tpm else None,
        firmware=Firmware(FIRMWARE_CODE, files.variables) if spec.uefi else None,
    )
