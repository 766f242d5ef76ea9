# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The image of a virtual machine: a disk without a boot loader, and beside it the kernel and initrd that boot it.

The identity of a machine is not in the image: the guest takes it from the seed disk (qemu_seed.py, qemu_guest/).
"""

from __future__ import annotations

import base64
import os
import shlex
from importlib import resources
from pathlib import Path

from rampart.lab.driver import Recipe
from rampart.lab.errors import LabError
from rampart.lab.plan import LabPlan
from rampart.lab.qemu_machine import MANAGEMENT_SLOT, RAIL_SLOT
from rampart.lab.tools import run
from rampart.lab.topology import MAX_RAILS

VERSION = 1  # raise it whenever finish() changes what comes out
DISK_MIB = 8192
ROOT_LABEL = "rampart-root"
DISK, KERNEL, INITRD, RELEASE = "disk.raw", "vmlinuz", "initrd", "kernel-release"
REPOSITORY_TAG = "rampart-apt"
_PACKAGES = [
    "linux-image-amd64",
    "initramfs-tools",
    "zstd",
    "cryptsetup-bin",
    "tpm2-tools",
    "libtss2-tcti-device0",
    "rdma-core",
    "ibverbs-providers",
    "ibverbs-utils",
    "infiniband-diags",
    "perftest",
    "ethtool",
]
_SCRIPTS = "/usr/local/lib/rampart-lab"
_UNITS = ("rampart-lab-seed.service", "rampart-lab-restore.service", "rampart-lab-rails.service")
# Emulated on a busy machine, udev takes more than the 90 s that systemd waits; systemd 252 has no boot option for it.
_PATIENCE = "[Manager]\nDefaultDeviceTimeoutSec=600\n"
# Without host keys sshd would be tried again and again, and answer in a restored machine before that is complete.
_NOBODY_LISTENS = "[Unit]\nConditionPathExists=!/run/rampart-lab/golden\n"
_UNPACK_S = 900
# $1 is the build folder. The archive's device nodes are left out: an ordinary user may not make them, devtmpfs does.
_UNPACK = f"""set -eu; umask 022; cd "$1"; mkdir rootfs
trap 'rm -rf rootfs rootfs.tar' EXIT
tar --extract --file=rootfs.tar --directory=rootfs --numeric-owner --same-permissions --xattrs --xattrs-include='*' \
    --exclude='./dev/*'
set -- rootfs/boot/vmlinuz-*; [ $# = 1 ]
echo "${{1#rootfs/boot/vmlinuz-}}" >{RELEASE}
cp "$1" {KERNEL}; cp rootfs/boot/initrd.img-* {INITRD}
mke2fs -q -t ext4 -L {ROOT_LABEL} -E lazy_itable_init=0,lazy_journal_init=0,nodiscard -d rootfs {DISK} {DISK_MIB}M
chmod 0644 {RELEASE} {KERNEL} {INITRD} {DISK}"""


def recipe(plan: LabPlan) -> Recipe:
    """The same for every topology of a release that names no packages, so that it is built once."""
    return Recipe("qemu", plan.release, VERSION, (*_PACKAGES, *plan.packages), _hooks(), "tar", finish)


def kernel_release(image: Path) -> str:
    """What `uname -r` says in a machine of this image."""
    return (image / RELEASE).read_text(encoding="ascii").strip()


def finish(build: Path) -> None:
    """Turn rootfs.tar into disk, kernel and initrd; without root, in a user namespace that keeps the files' owners."""
    inside = ["sh", "-c", _UNPACK, "sh", str(build)]
    if os.geteuid() != 0:
        # The namespace's root is this user, who may enter a private home folder; the others are subordinate ids.
        inside = ["unshare", "--user", "--map-root-user", "--map-auto", *inside]
    try:
        run(inside, _UNPACK_S)
    except LabError as exc:
        raise LabError(f"the image's file system could not be made into a disk: {exc}") from exc


def _hooks() -> tuple[str, ...]:
    """Shell commands of mmdebstrap's --customize-hook; the files are inside them, so the recipe's hash covers them."""
    guest = resources.files("rampart.lab").joinpath("qemu_guest")
    files = {f"/etc/systemd/system/{unit}": guest.joinpath(unit).read_bytes() for unit in _UNITS}
    files["/etc/fstab"] = _fstab().encode()
    files["/etc/systemd/system.conf.d/10-rampart-lab.conf"] = _PATIENCE.encode()
    files["/etc/systemd/system/ssh.service.d/10-rampart-lab.conf"] = _NOBODY_LISTENS.encode()
    files |= {f"/etc/systemd/network/10-{name}.link": _link(name, slot).encode() for name, slot in interfaces()}
    files["/etc/initramfs-tools/modules"] = b"virtio_pci\nvirtio_blk\next4\n"
    files["/etc/initramfs-tools/conf.d/rampart-lab"] = b"MODULES=list\n"
    script = guest.joinpath("rampart-lab-seed").read_bytes()
    return (
        *(_write(path, content) for path, content in files.items()),
        _write(f"{_SCRIPTS}/rampart-lab-seed", script, 0o755),
        'chroot "$1" systemctl --quiet enable systemd-networkd.service ' + " ".join(_UNITS),
        'chroot "$1" systemctl --quiet disable systemd-networkd-wait-online.service',
        'chroot "$1" update-initramfs -u -k all',
    )


def interfaces() -> tuple[tuple[str, int], ...]:
    """Names of network interfaces and the PCI slot of each: a restored machine wakes with another's MAC."""
    return (("mgmt0", MANAGEMENT_SLOT), *((f"rail{index}", RAIL_SLOT + index) for index in range(MAX_RAILS)))


def _link(name: str, slot: int) -> str:
    return f"[Match]\nPath=pci-0000:00:{slot:02x}.0*\n\n[Link]\nName={name}\nMACAddressPolicy=none\n"


def _fstab() -> str:
    options = "trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose,noauto"
    return f"LABEL={ROOT_LABEL} / ext4 defaults 0 1\n{REPOSITORY_TAG} /srv/rampart-apt 9p {options} 0 0\n"


def _write(path: str, content: bytes, mode: int = 0o644) -> str:
    """A hook that writes a file below the image's root."""
    target = f'"$1"{shlex.quote(path)}'
    encoded = base64.b64encode(content).decode()
    return f"install -D -m {mode:04o} /dev/null {target} && echo {encoded} | base64 -d > {target}"


def cmdline(accel: str) -> str:
    """The kernel's command line. Emulated on a busy machine, services take longer than systemd's 90 s."""
    patience = " systemd.default_timeout_start_sec=600" if accel == "tcg" else ""
    return f"root=LABEL={ROOT_LABEL} rw console=ttyS0 fsck.mode=skip{patience}"
