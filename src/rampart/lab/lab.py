# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A lab by name: bring it up, run commands on its hosts, break it, take it down. Command line and tests use this."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from rampart.lab import aptrepo, drivers, faults, identity, images, inventory, prune
from rampart.lab import topology as topologies
from rampart.lab.driver import Context, Driver
from rampart.lab.errors import LabError
from rampart.lab.plan import HostPlan, LabPlan, make
from rampart.lab.state import LabFolder, Paths, write_atomic
from rampart.lab.tools import bound

# On emulated machines with their cores busy, a container took over 60 s to boot and a machine over 120 s.
_SSH_READY_S = {"nspawn": 180.0, "qemu": 420.0}


def _silent(_: str) -> None:
    """The default listener of a lab used as a library."""


@dataclass
class Lab:
    """One lab. `say` receives a line for each step; `paths` says where state and caches are."""

    name: str = "default"
    paths: Paths = field(default_factory=Paths.from_environment)
    say: Callable[[str], None] = _silent

    @property
    def folder(self) -> LabFolder:
        return self.paths.lab(self.name)

    @property
    def inventory_path(self) -> Path:
        return self.folder.inventory

    @property
    def plan(self) -> LabPlan:
        """The plan of the lab that is up; LabError when there is none."""
        plan = self.folder.load_plan()
        if plan is None:
            others = ", ".join(self.paths.lab_names()) or "none"
            raise LabError(
                f"there is no lab {self.name!r} (labs: {others}); make it with `rampart lab up --name {self.name}`"
            )
        return plan

    def up(self, topology: str | None = None, driver: str | None = None, release: str | None = None) -> LabPlan:
        """Bring the lab up, or complete it: running hosts stay, dead ones boot again with their disks.

        What is not given is taken from the lab that is there, else: `demo`, the driver for this machine, Debian 12.
        """
        plan = self._wanted(topology, driver, release)
        engine = drivers.load(plan.driver)
        with self.folder.lock(self.say):
            self._refuse_change(plan)
            engine.preflight(plan)
            with prune.in_use(self.paths.cache, self.folder.path, self.say):
                image = images.ensure(engine.recipe(plan), self.paths.cache, self.say)
                repository = aptrepo.ensure(plan.release, self.paths.cache, self.say)
                self.folder.create()
                self.folder.save_plan(plan)
                context = Context(plan, self.folder, image, repository, self.say)
                self._stand_on(engine, context)
            self._boot(engine, context)
        return plan

    def down(self) -> None:
        """Remove the lab, whatever state it is in; nothing happens when there is none."""
        with self.folder.lock(self.say):
            self._close_connections()
            # Nothing on a host's disk is kept, so the power is cut: processes first, then what they stood on.
            self.folder.journal.undo()
            self.folder.remove()
            prune.release(self.paths.cache, self.folder.path)

    def exec(
        self, host: str, argv: Sequence[str], stdin: bytes | None = None, seconds: float = 120.0, root: bool = True
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command on a host (as root by default) and return what it said; its exit code is not judged."""
        return subprocess.run(
            [*bound(), *self.ssh_argv(host, argv, root=root)],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=seconds,
            check=False,
        )

    def ssh_argv(self, host: str, argv: Sequence[str] = (), root: bool = False) -> list[str]:
        """The ssh command line for a shell on a host, or for a command whose words arrive there unchanged."""
        self.plan.host(host)
        return faults.ssh_argv(self.folder, host, argv, root)

    def breaks(self) -> dict[str, str]:
        """The faults this lab's hosts can have: name to one sentence."""
        return {**faults.COMMON, **drivers.load(self.plan.driver).faults()}

    def break_host(self, host: str, fault: str) -> None:
        """Apply a fault, `name` or `name=value`; LabError lists the known ones."""
        with self.context() as (engine, context):
            faults.inject(engine, context, context.plan.host(host), fault)

    def states(self) -> dict[str, str]:
        """Host name to `running` (ssh answers), `starting or deaf` (a process, no ssh) or `dead`."""
        with self.context(lock=False) as (engine, context), ThreadPoolExecutor(8) as pool:

            def state(host: HostPlan) -> str:
                if not engine.running(context, host):
                    return "dead"
                return "running" if _ssh_answers(self, host) else "starting or deaf"

            return dict(zip([h.name for h in context.plan.hosts], pool.map(state, context.plan.hosts), strict=True))

    @contextlib.contextmanager
    def context(self, lock: bool = True) -> Iterator[tuple[Driver, Context]]:
        """Driver and context of the lab that is up, under its lock."""
        plan = self.plan
        engine = drivers.load(plan.driver)
        with self.folder.lock(self.say) if lock else contextlib.nullcontext():
            origin = (self.folder.path / "origin").read_text(encoding="utf-8").splitlines()
            yield engine, Context(plan, self.folder, Path(origin[0]), Path(origin[1]), self.say)

    def _wanted(self, name: str | None, driver: str | None, release: str | None) -> LabPlan:
        present = self.folder.load_plan()
        if present is not None and name is None:
            asked = (driver or present.driver, release or present.release)
            if asked == (present.driver, present.release):
                self.say(f"driver {present.driver}: as before")
                return present
        same = present.topology if present is not None and present.topology in topologies.shipped_names() else "demo"
        loaded = topologies.load(name or same)
        chosen, why = drivers.choose(loaded, driver)
        self.say(f"driver {chosen}: {why}")
        return make(loaded, self.name, chosen, release or "12")

    def _refuse_change(self, wanted: LabPlan) -> None:
        present = self.folder.load_plan()
        if present is not None and present != wanted:
            raise LabError(
                f"lab {self.name!r} is there as {_summary(present)}, and wanted now is {_summary(wanted)}; "
                f"run `rampart lab down --name {self.name}` first, or use another --name"
            )

    def _stand_on(self, engine: Driver, context: Context) -> None:
        """Note the image and the repository, which stay while the lab does; hosts that stand on others are stopped."""
        origin = f"{context.image}\n{context.repository}\n".encode()
        mark = self.folder.path / "origin"
        if mark.exists() and mark.read_bytes() != origin:
            self.say("the image or the package list changed: hosts boot again, with their disks, to see it")
            for host in context.plan.hosts:
                engine.stop(context, host)
        write_atomic(mark, origin)

    def _boot(self, engine: Driver, context: Context) -> None:
        identity.ensure_login_key(self.folder)
        self.folder.control_sockets.mkdir(mode=0o700, exist_ok=True)
        engine.open_network(context)
        dead = [host for host in context.plan.hosts if not engine.running(context, host)]
        with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2)) as pool:
            list(pool.map(lambda host: self._start(engine, context, host), dead))
            endpoints = {host.name: engine.endpoint(context, host) for host in context.plan.hosts}
            identity.write_ssh_files(context.plan, self.folder, endpoints)
            text = inventory.render(context.plan, self.folder, endpoints)
            write_atomic(self.folder.inventory, text.encode())
            waivers = inventory.render_waivers(context.plan, date.today())
            if waivers is not None:
                write_atomic(self.folder.waivers, waivers.encode())
            list(pool.map(lambda host: self._await_ssh(engine, context, host), context.plan.hosts))
            list(pool.map(self._update_package_lists, dead))

    def _start(self, engine: Driver, context: Context, host: HostPlan) -> None:
        files = identity.host_files(context.plan, host, self.folder)
        self.say(f"booting {host.name} ({host.address}, {host.spec.mode})")
        engine.start(context, host, files)

    def _await_ssh(self, engine: Driver, context: Context, host: HostPlan) -> None:
        limit = _SSH_READY_S[context.plan.driver]
        end = time.monotonic() + limit
        while not _ssh_answers(self, host):
            running = engine.running(context, host)
            if not running or time.monotonic() > end:
                log = engine.console_log(context, host)
                tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-25:] if log.exists() else []
                what = f"ssh did not answer within {limit:.0f} s" if running else "it ended while booting"
                raise LabError(f"host {host.name}: {what}; the end of {log}:\n" + "\n".join(tail))
            time.sleep(0.1)
        self.say(f"{host.name} answers")

    def _update_package_lists(self, host: HostPlan) -> None:
        done = self.exec(host.name, ["apt-get", "-q", "update"])
        if done.returncode != 0:
            said = (done.stdout + done.stderr).decode(errors="replace")
            raise LabError(f"host {host.name}: apt-get update failed with exit code {done.returncode}:\n{said}")

    def _close_connections(self) -> None:
        """End the connections that ssh keeps open for Ansible; their processes would outlive the lab by minutes."""
        if not self.folder.control_sockets.is_dir():
            return
        for socket in self.folder.control_sockets.iterdir():
            argv = ["ssh", "-F", "/dev/null", "-o", f"ControlPath={socket}", "-O", "exit", "lab"]
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(argv, capture_output=True, timeout=5, check=False, stdin=subprocess.DEVNULL)


def _ssh_answers(lab: Lab, host: HostPlan) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        return lab.exec(host.name, ["true"], seconds=30, root=False).returncode == 0
    return False


def _summary(plan: LabPlan) -> str:
    hosts = ", ".join(f"{host.name} ({host.spec.mode})" for host in plan.hosts)
    return f"topology {plan.topology}, driver {plan.driver}, Debian {plan.release}, hosts {hosts}"


def main_say(line: str) -> None:
    """A listener that writes plain lines to standard error, so that standard output stays for results."""
    print(line, file=sys.stderr, flush=True)
