# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Hosts as systemd-nspawn containers: own network namespace, own cgroups, own disk, booted in about a second.

Everything lives in namespaces that processes hold, so ending the processes ends the mounts, interfaces and addresses
too. A holder process keeps the namespace of the lab's bridge; each host's launcher unshares its network and mounts,
waits while its interface is made, and becomes systemd-nspawn.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import sys
from pathlib import Path

from rampart.lab import cgroups, netns, nspawn_launcher
from rampart.lab.driver import Context, Endpoint, HostFile, Recipe
from rampart.lab.errors import LabError
from rampart.lab.plan import HostPlan, LabPlan
from rampart.lab.processes import ProcessId, identify, spawn
from rampart.lab.tools import missing, run, tool

_TOOLS = {
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "mke2fs": "e2fsprogs",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "sysctl": "procps",
    "ssh": "openssh-client",
}


class NspawnDriver:
    """See the protocol in driver.py for what each method promises."""

    name = "nspawn"

    def preflight(self, plan: LabPlan) -> None:
        if not sys.platform.startswith("linux") or os.geteuid() != 0:
            raise LabError(
                "the nspawn driver needs root on Linux; run it as root, or take --driver qemu, which needs no root"
            )
        refused = []
        for host in plan.hosts:
            refused += [f"host {host.name} wants {', '.join(host.spec.vm_only)}"] if host.spec.vm_only else []
            refused += [f"host {host.name} is on {len(host.rails)} rails"] if host.rails else []
        if refused:
            raise LabError(
                f"the nspawn driver has no kernel of its own for its hosts, and {'; '.join(refused)}; use --driver qemu"
            )
        lacking = missing(_TOOLS)
        if lacking:
            packages = " ".join(sorted({_TOOLS[item.split(" ")[0]] for item in lacking}))
            raise LabError(f"missing on this machine: {', '.join(lacking)}; run: apt-get install {packages}")

    def recipe(self, plan: LabPlan) -> Recipe:
        return Recipe(driver=self.name, release=plan.release, version=1, packages=plan.packages)

    def open_network(self, context: Context) -> None:
        if self._holder(context.folder.path) is not None:
            return

        def record(holder: ProcessId) -> None:
            context.folder.journal.record("process", pid=holder.pid, started=holder.started, role="network")

        groups = cgroups.plan(context.plan.name, "network")
        wrapper: list[str] = []
        if groups.scope:
            _record_groups(context, groups, role="network")
            wrapper = groups.wrapper()
        holder = netns.open_bridge(context.plan, context.folder.path / "network.log", record, wrapper)
        _save_process(context.folder.path / "network.json", holder)

    def start(self, context: Context, host: HostPlan, files: tuple[HostFile, ...]) -> None:
        folder = context.folder.host(host.name)
        holder = self._holder(context.folder.path)
        if holder is None:
            raise LabError(
                f"the network of lab {context.plan.name!r} is gone; run `rampart lab up --name {context.plan.name}`"
            )
        context.folder.journal.undo({"host": host.name})
        for name in ("mnt/disk", "mnt/root"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        _make_disk(folder / "disk.img", host.spec.disk_mib)
        _write_seed(folder / "seed", files, context.image / "rootfs")
        groups = cgroups.plan(context.plan.name, host.name)
        _record_groups(context, groups, host=host.name)

        def record(process: ProcessId) -> None:
            context.folder.journal.record("process", pid=process.pid, started=process.started, host=host.name)

        def prepare(process: ProcessId) -> None:
            groups.enter(process.pid)

        argv = [
            "/bin/sh",
            "-c",
            nspawn_launcher.SCRIPT,
            "sh",
            str(folder / "disk.img"),
            str(context.image / "rootfs"),
            str(folder / "mnt"),
        ]
        argv += [
            str(folder / "seed"),
            netns.plug_script(holder, host, context.plan),
            str(groups.unified or ""),
            "env",
            "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network",
        ]
        argv += groups.nspawn_environment() + _nspawn(context, host, folder)
        log = self.console_log(context, host)
        wrapper = [*groups.wrapper(), tool("unshare"), "--mount", "--propagation", "slave"]
        try:
            process = spawn(argv, log, record, prepare, wrapper)
        except OSError as exc:
            raise LabError(f"host {host.name} did not start: {exc}\n{_tail(log)}") from exc
        _save_process(folder / "process.json", process)

    def running(self, context: Context, host: HostPlan) -> bool:
        process = _load_process(context.folder.host(host.name) / "process.json")
        return process is not None and process.alive()

    def endpoint(self, context: Context, host: HostPlan) -> Endpoint:
        script = Path(__file__).with_name("netns_connect.py")
        holder = context.folder.path / "network.json"
        interpreter = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
        command = shlex.join([interpreter, "-I", "-S", str(script), str(holder)]) + " %h %p"
        return Endpoint(address=host.address, proxy_command=command)

    def console_log(self, context: Context, host: HostPlan) -> Path:
        return context.folder.host(host.name) / "console.log"

    def stop(self, context: Context, host: HostPlan) -> None:
        process = _load_process(context.folder.host(host.name) / "process.json")
        if process is not None and process.alive():
            init = _container_init(process.pid)
            if init is not None:
                init.kill(signal.SIGRTMIN + 4)  # systemd(1): power off; file systems are flushed
                process.wait(8.0)
        context.folder.journal.undo({"host": host.name})
        (context.folder.host(host.name) / "process.json").unlink(missing_ok=True)

    def close_network(self, context: Context) -> None:
        context.folder.journal.undo({"role": "network"})
        (context.folder.path / "network.json").unlink(missing_ok=True)

    def faults(self) -> dict[str, str]:
        return {
            "cut-link": "The host's network cable is pulled: nothing reaches it.",
            "heal-link": "The cable is plugged in again.",
            "kill-host": "The host loses power; `rampart lab up` boots it again with its disk.",
        }

    def inject(self, context: Context, host: HostPlan, fault: str) -> None:
        if fault == "kill-host":
            context.folder.journal.undo({"host": host.name})
            return
        holder = self._holder(context.folder.path)
        if holder is None:
            raise LabError(
                f"the network of lab {context.plan.name!r} is gone; run `rampart lab up --name {context.plan.name}`"
            )
        netns.set_link(holder, host, up=fault == "heal-link")

    @staticmethod
    def _holder(folder: Path) -> ProcessId | None:
        process = _load_process(folder / "network.json")
        return process if process is not None and process.alive() else None


def _record_groups(context: Context, groups: cgroups.Groups, **whose: str) -> None:
    for parent in groups.parents:
        context.folder.journal.record("cgroup", path=str(parent), lab=True)
    for group in groups.paths:
        context.folder.journal.record("scope" if groups.scope else "cgroup", path=str(group), **whose)


def _nspawn(context: Context, host: HostPlan, folder: Path) -> list[str]:
    argv = [
        tool("systemd-nspawn"),
        "--quiet",
        "--boot",
        f"--directory={folder}/mnt/root",
        f"--machine={_machine(context.plan, host)}",
    ]
    # The groups are there already (cgroups.py). With a scope of its own, nspawn would also handle a reboot itself, in
    # the same network namespace, where rules and settings survive.
    argv += ["--register=no", "--keep-unit"]
    argv += ["--console=passive", "--network-namespace-path=/proc/self/ns/net", "--resolv-conf=off", "--timezone=off"]
    argv += ["--link-journal=no", f"--hostname={host.name}", f"--uuid={host.machine_id}"]
    argv += ["--capability=CAP_NET_ADMIN,CAP_NET_RAW", f"--bind-ro={context.repository}:/srv/rampart-apt"]
    return argv


def _machine(plan: LabPlan, host: HostPlan) -> str:
    """A name of at most 64 characters that no other lab has: where systemd runs the machine, it names a scope."""
    return f"rampart-{plan.name}-{host.name}"[:55].rstrip("-") + f"-{host.machine_id[:8]}"


def _make_disk(path: Path, size_mib: int) -> None:
    """A sparse ext4 file: the host can fill it and the machine's own disk stays free. Kept when it exists."""
    if path.exists():
        return
    temporary = path.with_suffix(".new")
    with temporary.open("wb") as disk:
        disk.truncate(size_mib << 20)
    run(
        [
            tool("mke2fs"),
            "-q",
            "-F",
            "-t",
            "ext4",
            "-m",
            "0",
            "-E",
            "lazy_itable_init=1,lazy_journal_init=1",
            str(temporary),
        ]
    )
    temporary.replace(path)


def _write_seed(seed: Path, files: tuple[HostFile, ...], lower: Path) -> None:
    """The host's own files as a tree that is copied over its root; folders look as they do in the image."""
    shutil.rmtree(seed, ignore_errors=True)
    seed.mkdir(parents=True)
    seed.chmod(0o755)
    for file in files:
        target = seed / file.path.lstrip("/")
        for parent in reversed(target.relative_to(seed).parents[:-1]):
            (seed / parent).mkdir(exist_ok=True)
            like = (lower / parent).stat()
            (seed / parent).chmod(like.st_mode & 0o7777)
            os.chown(seed / parent, like.st_uid, like.st_gid)
        target.write_bytes(file.content)
        target.chmod(file.mode)
        os.chown(target, file.uid, file.gid)


def _container_init(pid: int) -> ProcessId | None:
    """systemd of the container: the descendant of the launcher that is pid 1 in its namespace."""
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
            status = Path(f"/proc/{child}/status").read_text(encoding="utf-8", errors="replace")
            if re.search(r"^NSpid:.*\t1$", status, re.MULTILINE):
                return identify(int(child))
            found = _container_init(int(child))
            if found is not None:
                return found
    return None


def _save_process(path: Path, process: ProcessId) -> None:
    path.write_text(json.dumps({"pid": process.pid, "started": process.started}), encoding="ascii")


def _load_process(path: Path) -> ProcessId | None:
    try:
        return ProcessId(**json.loads(path.read_text(encoding="ascii")))
    except (OSError, ValueError, TypeError):
        return None


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]) if log.exists() else ""
