# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Builds the kernel module dcbshim for the kernel of an image, in a throw-away Debian of that release with its headers.

So neither this machine nor the virtual machines need a compiler. Cached by kernel release and hash of the source.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from rampart.lab import aptsources
from rampart.lab.images import run_logged
from rampart.lab.state import locked
from rampart.lab.tools import SEARCH

_SOURCES = ("Kbuild", "dcbshim.c")
_BUILD_S = 1800
# pahole, which BTF of modules needs, is left out: nothing in the lab reads it.
_MAKE = "make -C /usr/src/linux-headers-{kernel} M=/dcbshim CONFIG_DEBUG_INFO_BTF_MODULES= modules"


def ensure(kernel: str, suite: str, cache: Path, say: Callable[[str], None]) -> Path:
    """The path of dcbshim.ko for that kernel. Raises LabError with the end of the build's log."""
    folder = cache / "dcbshim" / f"{kernel}-{source_hash()}"
    module = folder / "dcbshim.ko"
    if module.exists():
        return module
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent / f".{folder.name}.lock", f"module dcbshim for {kernel}", say, _BUILD_S):
        if not module.exists():
            say(f"building the kernel module dcbshim for {kernel} (once; kept in {folder})")
            _build(kernel, suite, folder, say)
    return module


def source_hash() -> str:
    """12 hex digits of the module's source and of how it is built."""
    digest = hashlib.sha256("\n".join(command("", "", Path(), root=True)).encode())
    for name in _SOURCES:
        digest.update(_source(name))
    return digest.hexdigest()[:12]


def command(kernel: str, suite: str, build: Path, root: bool) -> list[str]:
    """mmdebstrap that keeps nothing but the module, in `build`. The apt sources' lines are to be appended."""
    return [
        *("mmdebstrap", f"--mode={'root' if root else 'unshare'}", "--variant=apt", "--format=null"),
        *('--aptopt=APT::Install-Recommends "false"', "--dpkgopt=force-unsafe-io"),
        *("--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*"),
        f"--include=make,linux-headers-{kernel}",
        '--customize-hook=mkdir "$1/dcbshim"',
        f"--customize-hook=copy-in {' '.join(str(build / name) for name in _SOURCES)} /dcbshim",
        f'--customize-hook=chroot "$1" {_MAKE.format(kernel=kernel)}',
        '--customize-hook=chroot "$1" strip --strip-debug /dcbshim/dcbshim.ko',
        f"--customize-hook=copy-out /dcbshim/dcbshim.ko {build}",
        *(suite, "-"),
    ]


def _build(kernel: str, suite: str, folder: Path, say: Callable[[str], None]) -> None:
    build = Path(tempfile.mkdtemp(prefix=f".{folder.name}.build-", dir=folder.parent))
    try:
        build.chmod(0o755)
        for name in _SOURCES:
            (build / name).write_bytes(_source(name))
        argv = [*command(kernel, suite, build, os.geteuid() == 0), *aptsources.lines_for(suite)]
        argv += [f"--aptopt={line}" for line in aptsources.apt_options().splitlines()]
        env = {**os.environ, "LC_ALL": "C.UTF-8", "PATH": SEARCH}
        run_logged(argv, build / "build.log", say, _BUILD_S, env, f"dcbshim for {kernel}")
        shutil.rmtree(folder, ignore_errors=True)
        build.rename(folder)
    finally:
        shutil.rmtree(build, ignore_errors=True)


def _source(name: str) -> bytes:
    return resources.files("rampart.lab").joinpath("dcbshim", name).read_bytes()
