# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Whether KVM works here, by booting a kernel with it: /dev/kvm may exist and abort QEMU or hang the guest.

The trial boots the lab's own kernel without a root file system: it prints its version, panics, and QEMU ends. The
answer is kept for this boot of the machine.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rampart.lab.qemu_machine import QEMU
from rampart.lab.state import write_atomic
from rampart.lab.tools import SEARCH

TRIAL_S = 8.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_DEVICE = Path("/dev/kvm")
_MARKER = "Linux version"
_PANIC = "Kernel panic"


@dataclass(frozen=True)
class Acceleration:
    """`name` is kvm or tcg, `reason` says why in half a sentence."""

    name: str
    reason: str


def choose(kernel: Path, cache: Path, device: Path = _DEVICE) -> Acceleration:
    """What machines with this kernel run with, from the cache when this boot of the machine already tried."""
    key = {"boot": _BOOT_ID.read_text(encoding="ascii").strip(), "kernel": str(kernel), "user": os.geteuid()}
    store = cache / "kvm.json"
    try:
        kept = json.loads(store.read_text(encoding="utf-8"))
        if kept["key"] == key:
            return Acceleration(**kept["answer"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no answer yet, or not one of ours: try again
    answer = trial(kernel, device)
    cache.mkdir(parents=True, exist_ok=True)
    write_atomic(store, json.dumps({"key": key, "answer": asdict(answer)}).encode())
    return answer


def trial(
    kernel: Path, device: Path = _DEVICE, run: Callable[..., subprocess.CompletedProcess[bytes]] = subprocess.run
) -> Acceleration:
    """Boot `kernel` with KVM and judge what came of it."""
    if not device.exists():
        return Acceleration("tcg", f"{device} does not exist")
    if not os.access(device, os.R_OK | os.W_OK):
        return Acceleration("tcg", f"{device} may not be used by this user (group kvm)")
    try:
        env = {**os.environ, "PATH": SEARCH}
        done = run(
            command(kernel), capture_output=True, timeout=TRIAL_S, stdin=subprocess.DEVNULL, env=env, check=False
        )
    except subprocess.TimeoutExpired as exc:
        return judge(None, exc.stdout or b"", exc.stderr or b"")
    except OSError as exc:
        return Acceleration("tcg", f"the trial of KVM could not start: {exc}")
    return judge(done.returncode, done.stdout, done.stderr)


def command(kernel: Path) -> list[str]:
    """A machine that ends by itself: a panic reboots at once, and -no-reboot makes QEMU end."""
    return [
        *(QEMU, "-no-user-config", "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot"),
        *("-machine", "q35", "-accel", "kvm", "-cpu", "host", "-m", "256M"),
        *("-kernel", str(kernel), "-append", "console=ttyS0 earlyprintk=serial panic=-1"),
    ]


def judge(code: int | None, output: bytes, errors: bytes) -> Acceleration:
    """The verdict on a trial: exit code (None: out of time), serial console, and what QEMU said."""
    console = output.decode(errors="replace")
    said = errors.decode(errors="replace").strip().splitlines()
    if _MARKER in console and _PANIC in console and code == 0:
        return Acceleration("kvm", "a trial boot worked")
    if code is None:
        how = "hung after the kernel had begun" if _MARKER in console else "showed nothing of the kernel"
        return Acceleration("tcg", f"a trial boot with KVM {how} within {TRIAL_S:.0f} s")
    because = f": {said[-1]}" if said else ""
    return Acceleration("tcg", f"a trial boot with KVM ended with code {code}{because}")
