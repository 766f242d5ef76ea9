# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Programs that the lab needs on this machine, and small ways to run them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from rampart.lab.errors import LabError

# A user's PATH on Debian has no sbin, where ip, nft and mke2fs are.
SEARCH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))


def missing(tools: Mapping[str, str]) -> list[str]:
    """`tools` maps a program to its Debian package; returns a sentence for each program that is not installed."""
    return [f"{tool} (package {package})" for tool, package in tools.items() if not shutil.which(tool, path=SEARCH)]


def require(tools: Mapping[str, str]) -> None:
    """LabError naming every missing program and the one command that installs them all."""
    lacking = missing(tools)
    if lacking:
        packages = sorted({tools[item.split(" ", 1)[0]] for item in lacking})
        raise LabError(f"missing on this machine: {', '.join(lacking)}; run: apt-get install {' '.join(packages)}")


def tool(name: str) -> str:
    """The path of a program, for a command that is not given SEARCH; the bare name when it is not installed."""
    return shutil.which(name, path=SEARCH) or name


def bound(signal_name: str = "KILL") -> list[str]:
    """A prefix that ends a command when the thread that started it ends, even by kill -9; empty without util-linux."""
    setpriv = shutil.which("setpriv", path=SEARCH)
    return [setpriv, "--pdeathsig", signal_name, "--"] if setpriv else []


def run(argv: Sequence[str], seconds: float = 60.0, stdin: bytes | None = None) -> str:
    """Run a program and return its output; LabError holds the command and what it said."""
    try:
        done = subprocess.run(
            [*bound(), *argv],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=seconds,
            check=False,
            env={**os.environ, "PATH": SEARCH, "LC_ALL": "C.UTF-8"},
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise LabError(f"{argv[0]}: {exc}") from exc
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        shown = " ".join(argv[:12]) + (" ..." if len(argv) > 12 else "")
        raise LabError(f"{shown}: exit code {done.returncode}: {said}")
    return done.stdout.decode(errors="replace")
