# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A virtual machine to QEMU's command line. Pure: the same machine gives the same words.

Every device has a fixed PCI slot, since a snapshot is only restored into the same device line.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rampart.lab.topology import MAX_RAILS

ROOT_SLOT, SEED_SLOT, EXTRA_SLOT, MANAGEMENT_SLOT, SHARE_SLOT, ENTROPY_SLOT = 0x02, 0x03, 0x04, 0x05, 0x06, 0x07
RAIL_SLOT = 0x10
assert RAIL_SLOT + MAX_RAILS <= 0x1F  # q35 has its own devices at slot 0x1f
QEMU = "qemu-system-x86_64"


@dataclass(frozen=True)
class Nic:
    """A network interface. `local` and `switch` are a rail's datagram sockets, None on the management interface."""

    mac: str
    local: Path | None = None
    switch: Path | None = None


@dataclass(frozen=True)
class Firmware:
    """UEFI: the code (shared, read-only) and this machine's own variables."""

    code: Path
    variables: Path


@dataclass(frozen=True)
class Machine:
    """All that shapes one QEMU process. `network`, `controller` and `address` are those of the management network."""

    name: str
    accel: str  # kvm | tcg
    cpus: int
    memory_mib: int
    kernel: Path
    initrd: Path
    cmdline: str
    disk: Path  # qcow2
    seed: Path  # raw
    share: Path  # folder seen read-only by 9p
    share_tag: str
    console: Path
    qmp: Path
    network: str
    controller: str
    address: str
    management: Nic
    rails: tuple[Nic, ...] = ()
    extra_disk: Path | None = None  # qcow2
    tpm: Path | None = None  # socket of swtpm
    firmware: Firmware | None = None
    incoming: Path | None = None  # state of a snapshot to continue from
    migrates: bool = False  # whether a snapshot of it will be taken


def command(machine: Machine) -> list[str]:
    """The argument list that starts `machine`. The process stays in the foreground and owns all its sockets."""
    return [
        *_base(machine),
        *_boot(machine),
        *_disks(machine),
        *_network(machine),
        *_share(machine),
        *_tpm(machine),
        *(["-incoming", f"exec:cat {quoted(machine.incoming)}"] if machine.incoming else []),
    ]


def quoted(path: Path) -> str:
    """A path for the shell that QEMU runs for exec: URIs."""
    return "'" + str(path).replace("'", "'\\''") + "'"


def _base(machine: Machine) -> list[str]:
    # la57 costs a level of page walk, which emulation pays on every miss; with erms and fsrm a kernel clears and copies
    # memory by one instruction that emulation repeats for each byte; QEMU keeps 1 GiB of code else.
    emulated = ("tcg,thread=multi,tb-size=256", "max,la57=off,erms=off,fsrm=off")
    accel, cpu = ("kvm", "host") if machine.accel == "kvm" else emulated
    return [
        *(QEMU, "-name", f"{machine.name},debug-threads=on", "-no-user-config", "-nodefaults", "-display", "none"),
        *("-machine", "q35,vmport=off,usb=off", "-accel", accel, "-cpu", cpu, "-smp", str(machine.cpus)),
        *("-m", f"{machine.memory_mib}M", "-rtc", "base=utc,clock=host", "-sandbox", _sandbox(machine)),
        *("-chardev", f"file,id=console,path={escaped(machine.console)},append=on", "-serial", "chardev:console"),
        *(
            "-chardev",
            f"socket,id=qmp,path={escaped(machine.qmp)},server=on,wait=off",
            "-mon",
            "chardev=qmp,mode=control",
        ),
        *("-object", "rng-random,id=entropy,filename=/dev/urandom"),
        *("-device", f"virtio-rng-pci,rng=entropy,addr={ENTROPY_SLOT:#x}"),
    ]


def _sandbox(machine: Machine) -> str:
    """QEMU's own seccomp filter; only snapshots need a child process, which reads or writes their file."""
    spawn = "allow" if machine.incoming or machine.migrates else "deny"
    return f"on,obsolete=deny,elevateprivileges=deny,spawn={spawn},resourcecontrol=deny"


def _boot(machine: Machine) -> list[str]:
    words = ["-kernel", str(machine.kernel), "-initrd", str(machine.initrd), "-append", machine.cmdline]
    if machine.firmware is None:
        return words
    code, variables = (escaped(path) for path in (machine.firmware.code, machine.firmware.variables))
    return [
        *("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}"),
        *("-drive", f"if=pflash,unit=1,format=raw,file={variables}"),
        *words,
    ]


def _disks(machine: Machine) -> list[str]:
    words = _disk("root", machine.disk, "qcow2", ROOT_SLOT) + _disk("seed", machine.seed, "raw", SEED_SLOT)
    if machine.extra_disk is not None:
        words += _disk("extra", machine.extra_disk, "qcow2", EXTRA_SLOT)
    return words


def _disk(name: str, path: Path, form: str, slot: int) -> list[str]:
    # A lab's disk needs no survival of a power cut of this machine, so flushes are not waited for.
    options = "readonly=on" if name == "seed" else "cache=unsafe,discard=unmap"
    return [
        *("-drive", f"if=none,id={name},format={form},file={escaped(path)},{options}"),
        *("-device", f"virtio-blk-pci,drive={name},serial=rampart-{name},addr={slot:#x}"),
    ]


def _network(machine: Machine) -> list[str]:
    # restrict=on: the guest reaches nothing but what is forwarded to it. Port 0: the kernel picks a free one.
    forward = f"hostfwd=tcp:127.0.0.1:0-{machine.address}:22"
    user = f"user,id=mgmt0,net={machine.network},host={machine.controller},ipv6=off,restrict=on,{forward}"
    words = ["-netdev", user, *_nic("mgmt0", machine.management, MANAGEMENT_SLOT)]
    for index, rail in enumerate(machine.rails):
        ends = f"local.type=unix,local.path={escaped(rail.local)},remote.type=unix,remote.path={escaped(rail.switch)}"
        words += ["-netdev", f"dgram,id=rail{index},{ends}", *_nic(f"rail{index}", rail, RAIL_SLOT + index)]
    return words


def _nic(name: str, nic: Nic, slot: int) -> list[str]:
    return ["-device", f"virtio-net-pci,id=nic-{name},netdev={name},mac={nic.mac},romfile=,addr={slot:#x}"]


def _share(machine: Machine) -> list[str]:
    backend = f"local,id=share,path={escaped(machine.share)},security_model=none,readonly=on,multidevs=remap"
    return [
        "-fsdev",
        backend,
        "-device",
        f"virtio-9p-pci,fsdev=share,mount_tag={machine.share_tag},addr={SHARE_SLOT:#x}",
    ]


def _tpm(machine: Machine) -> list[str]:
    if machine.tpm is None:
        return []
    return [
        *("-chardev", f"socket,id=tpm,path={escaped(machine.tpm)}", "-tpmdev", "emulator,id=tpm0,chardev=tpm"),
        *("-device", "tpm-tis,tpmdev=tpm0"),
    ]


def escaped(path: Path | None) -> str:
    """A path inside an option list, where QEMU doubles commas."""
    return str(path).replace(",", ",,")
