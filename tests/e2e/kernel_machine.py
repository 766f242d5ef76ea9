# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The virtual machine of `test_kernel.py`: brought up, hardened, booted again, with the time that each step takes.

A task of Ansible costs seconds on an emulated machine, so that only the roles that a kernel matters to are applied.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from .fleet import BIN, CHECKOUT, Fleet, said_of_failure

HOST = "host1"
#: Those with what a container has not got: sysctls, modules, mounts at boot, a command line, a clock, auditing.
ROLES = ("os_hardening", "file_systems", "boot_loader", "services", "audit_logging")
#: Those that ask the running kernel whether anything is left to do; containers show it of the others.
ASKING = ("os_hardening", "audit_logging")
#: Two checkouts on one machine may run the test at the same time.
LAB = f"kernel-{hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:6]}"
#: What the roles install, which takes minutes on an emulated machine. Not chrony, which replaces what the image has.
_PACKAGES = ("apparmor", "apparmor-utils", "audispd-plugins", "auditd", "libcap2-bin", "unattended-upgrades")
_BOOT_S = 600.0
# What a fresh machine catches up with at its first boot would run beside the tests: the daily work of apt and its like.
_CAUGHT_UP = """
mkdir -p /var/lib/systemd/timers
for timer in /usr/lib/systemd/system/*.timer; do touch "/var/lib/systemd/timers/stamp-${timer##*/}"; done
"""


class Phases:
    """What took how long."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Count what happens inside."""
        started = time.monotonic()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.monotonic() - started

    def __str__(self) -> str:
        return "\n".join(f"{name:<12} {seconds:6.0f} s" for name, seconds in self._seconds.items())


@contextmanager
def running(folder: Path, phases: Phases) -> Iterator[Fleet]:
    """The machine as its image is; taken down at the end whatever happened."""
    command = [BIN / "rampart", "lab"]
    topology = folder / "kernel.yml"
    hosts = {HOST: {"mode": "inference", "kernel_words": kernel_words()}}
    topology.write_text(yaml.safe_dump({"hosts": hosts, "packages": list(_PACKAGES)}))
    release = os.environ.get("RAMPART_LAB_RELEASE", "12")
    try:
        # What an interrupted run left would count as hardened.
        subprocess.run([*command, "down", "--name", LAB], check=True, timeout=300)
        up = [*command, "up", "--name", LAB, "--driver", "qemu", "--release", release, "--topology", topology]
        with phases.of("up"):
            subprocess.run(up, check=True, timeout=2400)
        machine = fleet(LAB, folder)
        machine.shell(HOST, _CAUGHT_UP)
        yield machine
    finally:
        subprocess.run([*command, "down", "--name", LAB], check=True, timeout=300)


def fleet(lab: str, folder: Path) -> Fleet:
    """A running lab; Ansible remembers what it learned of its host, which does not change between two runs."""
    command = [BIN / "rampart", "lab", "inventory", "--name", lab, "--path"]
    path = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    facts = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(folder / "facts")}
    return Fleet(lab, Path(path), folder, facts)


def kernel_words() -> list[str]:
    """The words that the role boot_loader wants of whatever starts a host without GRUB, here QEMU."""
    defaults = yaml.safe_load((CHECKOUT / "roles/boot_loader/defaults/main.yml").read_text())
    wanted = defaults["boot_loader_parameters_default"]
    return [f"{name}={value}" if value else name for name, value in wanted.items()]


def harden(machine: Fleet, roles: tuple[str, ...]) -> int:
    """Apply roles as a person would; return how many tasks changed something."""
    chosen = yaml.safe_dump({"rampart_roles": list(roles)}, default_flow_style=True).strip()
    done = machine.playbook("harden", "-e", chosen)
    assert done.returncode == 0, said_of_failure(done)
    counts = re.search(rf"^{HOST} .*\bchanged=(\d+)", done.stdout, re.MULTILINE)
    assert counts, done.stdout[-2000:]
    return int(counts[1])


def boot_again(machine: Fleet) -> None:
    """Boot the machine and wait until it has settled."""
    boot = "cat /proc/sys/kernel/random/boot_id"
    before = machine.shell(HOST, boot)
    machine.shell(HOST, "systemctl reboot", check=False)
    end = time.monotonic() + _BOOT_S
    while machine.shell(HOST, boot, check=False) in ("", before):
        assert time.monotonic() < end, f"the machine did not answer within {_BOOT_S:.0f} s of its boot"
        time.sleep(2)
    machine.shell(HOST, "systemctl is-system-running --wait", check=False)
