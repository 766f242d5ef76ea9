# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What virtual machines need of this machine: programs, firmware, subordinate ids."""

from __future__ import annotations

import os
import platform
import pwd
import re
from pathlib import Path

from rampart.lab.errors import LabError
from rampart.lab.plan import LabPlan
from rampart.lab.qemu_machine import QEMU
from rampart.lab.tools import missing, run, tool

FIRMWARE_CODE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
FIRMWARE_VARS = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
_TOOLS = {
    QEMU: "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "ssh": "openssh-client",
}
_OLDEST = (7, 2)  # -netdev dgram over Unix sockets


def check(plan: LabPlan) -> None:
    """LabError that names all that lacks at once."""
    root = os.geteuid() == 0
    wanted = dict(_TOOLS)
    if any(host.spec.tpm for host in plan.hosts):
        wanted["swtpm"] = "swtpm"
    if not root:
        wanted |= {"newuidmap": "uidmap", "unshare": "util-linux"}
    problems = [f"{item} is missing" for item in missing(wanted)]
    packages = sorted({wanted[item.split(" ")[0]] for item in missing(wanted)})
    if any(host.spec.uefi for host in plan.hosts) and not (FIRMWARE_CODE.exists() and FIRMWARE_VARS.exists()):
        problems.append(f"{FIRMWARE_CODE} or {FIRMWARE_VARS} is missing")
        packages.append("ovmf")
    if not root:
        problems += subordinate_ids(pwd.getpwuid(os.geteuid()).pw_name)
    if platform.machine() != "x86_64":
        problems.append(f"this machine is {platform.machine()}, and the lab's images are x86_64")
    if not missing({QEMU: ""}):
        problems += version_problems(run([tool(QEMU), "--version"]))
    if problems:
        todo = f"; run: apt-get install {' '.join(packages)}" if packages else ""
        raise LabError(f"the qemu driver cannot work here: {'; '.join(problems)}{todo}")


def version_problems(text: str) -> list[str]:
    """What is wrong with a QEMU, from what its --version says."""
    match = re.search(r"version (\d+)\.(\d+)", text)
    if not match:
        return [f"{QEMU} --version says {text.strip()!r}, wanted a version"]
    if (int(match[1]), int(match[2])) < _OLDEST:
        return [f"QEMU is {match[1]}.{match[2]}, wanted {_OLDEST[0]}.{_OLDEST[1]} or newer"]
    return []


def subordinate_ids(user: str, folder: Path = Path("/etc")) -> list[str]:
    """mmdebstrap maps the owners of an image's files to the user's subordinate ids."""
    problems = []
    for name in ("subuid", "subgid"):
        try:
            lines = (folder / name).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            lines = []
        if not any(line.startswith(f"{user}:") for line in lines):
            problems.append(f"{folder / name} has no line for {user} (usermod --add-{name}s 100000-165535 {user})")
    return problems
