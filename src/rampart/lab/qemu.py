# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Hosts as QEMU virtual machines: a Debian kernel of their own, TPM, UEFI, disks, rails. Needs no root.

A machine continues a booted snapshot where that is faster and its devices allow it (qemu_snapshot.py), else it boots.
Its processes and the switch that joins the rails are recorded in the journal; all sockets are in one folder.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from pathlib import Path

from rampart.lab import kvm, qemu_dcbshim, qemu_disk, qemu_image, qemu_preflight, qemu_process, qemu_seed, qemu_snapshot
from rampart.lab.driver import Context, Endpoint, HostFile, Recipe
from rampart.lab.errors import LabError
from rampart.lab.kvm import Acceleration
from rampart.lab.plan import HostPlan, LabPlan
from rampart.lab.qemu_files import Files, Sockets, machine
from rampart.lab.qemu_machine import Machine, command
from rampart.lab.qemu_qmp import Qmp
from rampart.lab.state import write_atomic
from rampart.lab.tools import tool

_POWER_DOWN_S = 60.0  # an emulated machine on a busy host takes 20 s


class QemuDriver:
    """See the protocol in driver.py for what each method promises."""

    name = "qemu"

    def preflight(self, plan: LabPlan) -> None:
        qemu_preflight.check(plan)

    def recipe(self, plan: LabPlan) -> Recipe:
        return qemu_image.recipe(plan)

    def open_network(self, context: Context) -> None:
        accel = _acceleration(context, context.image)
        context.say(f"acceleration {accel.name}: {accel.reason}")
        sockets = Sockets.of(context.folder)
        context.folder.journal.record("folder", path=str(sockets.folder))
        sockets.create()
        rails = context.plan.hosts[0].rails
        store = context.folder.path / "switch.json"
        if not rails or qemu_process.find(store):
            return
        program = Path(__file__).with_name("qemu_switch.py")
        paths = [str(sockets.switch(rail.index)) for rail in rails]
        argv = [sys.executable, "-I", "-S", str(program), *paths]
        qemu_process.start(context.folder, argv, context.folder.path / "switch.log", store, role="network")

    def start(self, context: Context, host: HostPlan, files: tuple[HostFile, ...]) -> None:
        context.folder.journal.undo({"host": host.name})
        own = _files(context, host)
        own.folder.mkdir(parents=True, exist_ok=True)
        image = _image(context, own)
        accel = _acceleration(context, image).name
        planned = machine(context.plan, host, own, Sockets.of(context.folder), image, context.repository, accel)
        identity = [*files, *qemu_seed.network_files(context.plan, host), *_rail_files(context, host, image)]
        snapshot = None if own.disk.exists() else qemu_snapshot.ensure(context, host, planned, image)
        if snapshot is not None:
            identity += qemu_seed.restored_files(host)
            planned = qemu_snapshot.continued(planned, snapshot)
        base, form = snapshot.base if snapshot else (image / qemu_image.DISK, "raw")
        qemu_disk.overlay(own.disk, base, form, host.spec.disk_mib)
        if host.spec.extra_disk_mib:
            qemu_disk.empty(own.extra_disk, host.spec.extra_disk_mib)
        qemu_seed.write(own.seed, qemu_seed.archive(identity))
        self._run(context, host, own, planned)

    def running(self, context: Context, host: HostPlan) -> bool:
        return qemu_process.find(_store(context, host)) is not None

    def endpoint(self, context: Context, host: HostPlan) -> Endpoint:
        try:
            return Endpoint("127.0.0.1", int(_files(context, host).port.read_text(encoding="ascii")))
        except (OSError, ValueError) as exc:
            raise LabError(f"host {host.name} was never started ({exc}); run `rampart lab up`") from exc

    def console_log(self, context: Context, host: HostPlan) -> Path:
        return _files(context, host).console

    def stop(self, context: Context, host: HostPlan) -> None:
        process = qemu_process.find(_store(context, host))
        if process is not None:
            # A guest that does not listen any more loses its power below.
            with contextlib.suppress(LabError), Qmp(Sockets.of(context.folder).qmp(host.index), 5.0) as qmp:
                qmp.execute("system_powerdown")
                process.wait(_POWER_DOWN_S)
        context.folder.journal.undo({"host": host.name})

    def close_network(self, context: Context) -> None:
        context.folder.journal.undo({"role": "network"})

    def faults(self) -> dict[str, str]:
        return {
            "cut-link": "The host's rails are unplugged: no back-end traffic reaches it (management stays).",
            "heal-link": "The rails are plugged in again.",
            "kill-host": "The host loses power; `rampart lab up` boots it again with its disk.",
        }

    def inject(self, context: Context, host: HostPlan, fault: str) -> None:
        if fault == "kill-host":
            context.folder.journal.undo({"host": host.name})
            return
        if not host.rails:
            raise LabError(f"host {host.name} has no rails to unplug; topology {context.plan.topology} has none")
        with Qmp(Sockets.of(context.folder).qmp(host.index)) as qmp:
            for rail in host.rails:
                qmp.execute("set_link", name=f"nic-rail{rail.index}", up=fault == "heal-link")

    def _run(self, context: Context, host: HostPlan, own: Files, planned: Machine) -> None:
        if planned.tpm is not None:
            _start_tpm(context, host, own, planned.tpm)
        if planned.firmware is not None and not own.variables.exists():
            shutil.copyfile(qemu_preflight.FIRMWARE_VARS, own.variables)
        for rail in planned.rails:
            if rail.local is not None:
                rail.local.unlink(missing_ok=True)
        argv = command(planned)
        process = qemu_process.start(
            context.folder, [tool(argv[0]), *argv[1:]], own.log, _store(context, host), host=host.name
        )
        try:
            with Qmp(planned.qmp) as qmp:
                write_atomic(own.port, str(qmp.forwarded_port()).encode())
        except LabError as exc:
            said = qemu_process.tail(own.log)
            process.terminate()
            raise LabError(f"host {host.name} did not start: {exc}\n{said}") from exc


def _start_tpm(context: Context, host: HostPlan, own: Files, socket: Path) -> None:
    own.tpm.mkdir(mode=0o700, exist_ok=True)
    argv = [tool("swtpm"), "socket", "--tpm2", "--tpmstate", f"dir={own.tpm}", "--ctrl", f"type=unixio,path={socket}"]
    # --terminate: it ends with the machine that it serves.
    argv += ["--terminate"]
    socket.unlink(missing_ok=True)
    process = qemu_process.start(
        context.folder, argv, own.folder / "swtpm.log", own.folder / "swtpm.json", host=host.name
    )
    while not socket.exists():
        if process.wait(0.02):
            raise LabError(f"swtpm of {host.name} ended:\n{qemu_process.tail(own.folder / 'swtpm.log')}")


def _rail_files(context: Context, host: HostPlan, image: Path) -> list[HostFile]:
    if not host.rails:
        return []
    kernel = qemu_image.kernel_release(image)
    module = qemu_dcbshim.ensure(kernel, context.plan.suite, _cache(image), context.say)
    return qemu_seed.rail_files(host, kernel, module)


def _acceleration(context: Context, image: Path) -> Acceleration:
    return kvm.choose(image / qemu_image.KERNEL, _cache(image))


def _image(context: Context, own: Files) -> Path:
    """The image a host's disk is based on: the lab's, unless the disk is of an earlier one."""
    if own.disk.exists() and own.image.exists():
        image = Path(own.image.read_text(encoding="utf-8"))
        if not image.is_dir():
            raise LabError(f"{own.disk} is based on the image {image}, which is gone; run `rampart lab down` and `up`")
        return image
    own.disk.unlink(missing_ok=True)
    write_atomic(own.image, str(context.image).encode())
    return context.image


def _cache(image: Path) -> Path:
    """The lab's cache folder, which images.py keeps the images below."""
    return image.parent.parent


def _files(context: Context, host: HostPlan) -> Files:
    return Files(context.folder.host(host.name))


def _store(context: Context, host: HostPlan) -> Path:
    return context.folder.host(host.name) / "qemu.json"
