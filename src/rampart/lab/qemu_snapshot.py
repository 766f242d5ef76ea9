# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Booted snapshots: a machine that was booted once without an identity, to be continued by others with theirs.

Emulated, continuing takes a few seconds where a boot takes twenty to two hundred. A snapshot fits one device line, so
it is kept by image, devices and QEMU version. With KVM a boot is as fast, and a TPM's secrets or the firmware's
variables would be shared: such machines boot.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rampart.lab import qemu_disk, qemu_image, qemu_process, qemu_seed
from rampart.lab.driver import Context
from rampart.lab.errors import LabError
from rampart.lab.plan import HostPlan
from rampart.lab.processes import ProcessId
from rampart.lab.qemu_files import Files, Sockets
from rampart.lab.qemu_machine import QEMU, Machine, Nic, command, quoted
from rampart.lab.qemu_qmp import Qmp
from rampart.lab.state import locked
from rampart.lab.tools import run, tool

VERSION = 3  # raise it whenever _take() changes what comes out
_READY = "rampart-lab: golden"  # what the guest's script says on the console
_BOOT_S = 600.0
_QUIET_S = 4.0  # after the last unit, for what udev and the journal still do
_SAVE_S = 180.0


@dataclass(frozen=True)
class Snapshot:
    """A folder with the disk and the state of a machine that waits for its identity."""

    folder: Path

    @property
    def base(self) -> tuple[Path, str]:
        """The disk that the copies' disks are based on, and its format."""
        return self.folder / "disk.qcow2", "qcow2"

    @property
    def state(self) -> Path:
        return self.folder / "state"


def ensure(context: Context, host: HostPlan, machine: Machine, image: Path) -> Snapshot | None:
    """The snapshot for machines like this one, taken now when there is none; None when the machine is to boot."""
    if not worthwhile(machine):
        return None
    folder = image.parent.parent / "snapshots" / f"{image.name}-{key(machine, host, run([tool(QEMU), '--version']))}"
    snapshot = Snapshot(folder)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(
            folder.parent / f".{folder.name}.lock", "the snapshot of a booted machine", context.say, _BOOT_S * 2
        ):
            if not folder.is_dir():
                context.say(f"booting once for a snapshot that later machines continue (kept in {folder})")
                _take(context, host, machine, image, folder)
    return snapshot


def worthwhile(machine: Machine) -> bool:
    """Whether continuing is faster than booting, and possible."""
    return machine.accel == "tcg" and machine.tpm is None and machine.firmware is None


def key(machine: Machine, host: HostPlan, version: str) -> str:
    """12 hex digits of the device line: what must be equal in the machine that continues."""
    devices = [machine.cpus, machine.memory_mib, len(machine.rails), host.spec.disk_mib, host.spec.extra_disk_mib]
    return hashlib.sha256(json.dumps([VERSION, machine.accel, *devices, version]).encode()).hexdigest()[:12]


def continued(machine: Machine, snapshot: Snapshot) -> Machine:
    """`machine`, but continuing the snapshot."""
    return dataclasses.replace(machine, incoming=snapshot.state)


def golden(machine: Machine, files: Files, sockets: Sockets) -> Machine:
    """The machine that is booted for the snapshot: same devices, nobody's identity, alone on its rails."""
    rails = [Nic(_mac(rail + 1), sockets.nic(0, rail), sockets.switch(rail)) for rail in range(len(machine.rails))]
    return dataclasses.replace(
        machine,
        name="rampart-snapshot",
        cmdline=qemu_image.cmdline(machine.accel),
        disk=files.disk,
        seed=files.seed,
        console=files.console,
        qmp=sockets.qmp(0),
        management=Nic(_mac(0)),
        rails=tuple(rails),
        extra_disk=files.extra_disk if machine.extra_disk else None,
        migrates=True,
    )


def _take(context: Context, host: HostPlan, machine: Machine, image: Path, folder: Path) -> None:
    """Boot, wait until the guest waits, save, and put everything in place at once."""
    build = Path(tempfile.mkdtemp(prefix=f".{folder.name[-12:]}.build-", dir=folder.parent))
    sockets = Sockets(Path(tempfile.mkdtemp(prefix=f"rampart-{context.plan.name}-")))
    context.folder.journal.record("folder", path=str(build))
    context.folder.journal.record("folder", path=str(sockets.folder))
    files = Files(build)
    try:
        qemu_disk.overlay(files.disk, image / qemu_image.DISK, "raw", host.spec.disk_mib)
        if machine.extra_disk:
            qemu_disk.empty(files.extra_disk, host.spec.extra_disk_mib)
        qemu_seed.write(files.seed, qemu_seed.GOLDEN)
        argv = command(golden(machine, files, sockets))
        process = qemu_process.start(
            context.folder, [tool(argv[0]), *argv[1:]], files.log, build / "qemu.json", snapshot=folder.name
        )
        try:
            _await_ready(process, files.console)
            _save(sockets.qmp(0), build / "state")
        finally:
            process.terminate()
            context.folder.journal.undo({"snapshot": folder.name})
        for leftover in (files.seed, files.log, files.extra_disk, build / "qemu.json"):
            leftover.unlink(missing_ok=True)
        build.rename(folder)
    finally:
        shutil.rmtree(build, ignore_errors=True)
        shutil.rmtree(sockets.folder, ignore_errors=True)


def _await_ready(process: ProcessId, console: Path) -> None:
    end = time.monotonic() + _BOOT_S
    while _READY not in (console.read_text(encoding="utf-8", errors="replace") if console.exists() else ""):
        if process.wait(0.3) or time.monotonic() > end:
            raise LabError(
                f"the machine for the snapshot did not boot; the end of its console:\n{qemu_process.tail(console)}"
            )
    time.sleep(_QUIET_S)


def _save(socket: Path, state: Path) -> None:
    """Write memory and devices to a file; then the guest stands, QEMU may end, and the disk belongs to that state.

    The guest is not stopped before, since it would stand again where it is continued.
    """
    with Qmp(socket) as qmp:
        qmp.execute("migrate-set-parameters", max_bandwidth=1 << 34)
        qmp.execute("migrate", uri=f"exec:cat >{quoted(state)}")
        end = time.monotonic() + _SAVE_S
        while (status := qmp.execute("query-migrate").get("status")) != "completed":
            if status in ("failed", "cancelled") or time.monotonic() > end:
                raise LabError(
                    f"saving the snapshot to {state} ended as {status!r}, wanted completed; is the disk full?"
                )
            time.sleep(0.1)
        qmp.execute("quit")


def _mac(index: int) -> str:
    return f"02:00:00:00:00:{index:02x}"
