# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Images of fresh Debian servers by mmdebstrap, cached by the hash of what shapes them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from rampart.lab import aptsources
from rampart.lab.driver import Recipe
from rampart.lab.errors import LabError
from rampart.lab.plan import RELEASES
from rampart.lab.state import locked
from rampart.lab.tools import bound, require

VERSION = 1  # raise it whenever COMMON_HOOKS or build() change what comes out
USER = "ops"
USER_ID = 1000
APT_SOURCE = "deb [trusted=yes] file:/srv/rampart-apt ./"
_BUILD_S = 1800
# What debian-installer leaves on a server without any task chosen, less documentation and hardware support.
COMMON_PACKAGES = (
    "adduser", "apt-utils", "bash-completion", "ca-certificates", "cron", "dbus", "e2fsprogs", "fdisk", "gpgv",
    "init", "iproute2", "iputils-ping", "kmod", "less", "libpam-systemd", "locales", "logrotate", "nano",
    "netbase", "nftables", "openssh-server", "openssh-client", "procps", "python3", "python3-apt", "sensible-utils",
    "sudo", "systemd-sysv", "systemd-timesyncd", "tzdata", "udev", "whiptail",
)  # fmt: skip
COMMON_HOOKS = (
    f'chroot "$1" useradd --create-home --shell /bin/bash --uid {USER_ID} --comment "Lab operator" {USER}',
    f'install -d -m 0700 -o {USER_ID} -g {USER_ID} "$1/home/{USER}/.ssh"',
    f'echo "{USER} ALL=(ALL:ALL) NOPASSWD: ALL" > "$1/etc/sudoers.d/{USER}"; chmod 0440 "$1/etc/sudoers.d/{USER}"',
    'rm -f "$1"/etc/ssh/ssh_host_*_key*; : > "$1/etc/machine-id"; rm -f "$1/var/lib/dbus/machine-id"',
    'rm -f "$1/etc/resolv.conf"; : > "$1/etc/resolv.conf"; install -d "$1/srv/rampart-apt"',
    'rm -f "$1"/etc/apt/sources.list.d/* "$1/etc/apt/apt.conf.d/99mmdebstrap" "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap"',
    f'printf "%s\\n" "{APT_SOURCE}" > "$1/etc/apt/sources.list"',
)
# Documentation is two thirds of the extraction time and serves no test.
_DPKG_OPTIONS = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/info/*",
    "force-unsafe-io",
)


def ensure(recipe: Recipe, cache: Path, say: Callable[[str], None]) -> Path:
    """The folder of the image, built when it is not in the cache. Raises LabError with the end of mmdebstrap's log."""
    sources = aptsources.lines_for(RELEASES[recipe.release])
    folder = cache / "images" / folder_name(recipe)
    if folder.is_dir():
        return folder
    require({"mmdebstrap": "mmdebstrap"})
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent / f".{folder.name}.lock", f"image {folder.name}", say, _BUILD_S):
        if not folder.is_dir():
            _build_into(folder, recipe, sources, say)
    return folder


def folder_name(recipe: Recipe) -> str:
    """The name of the image's folder in the cache."""
    return f"{recipe.driver}-{recipe.release}-{recipe_hash(recipe)}"


def recipe_hash(recipe: Recipe) -> str:
    """12 hex digits of everything that shapes the image."""
    parts = [VERSION, recipe.driver, recipe.release, recipe.version, recipe.output]
    parts += [sorted({*COMMON_PACKAGES, *recipe.packages}), list(COMMON_HOOKS), list(recipe.hooks), list(_DPKG_OPTIONS)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _build_into(folder: Path, recipe: Recipe, sources: list[str], say: Callable[[str], None]) -> None:
    for stale in folder.parent.glob(f".{folder.name}.build-*"):  # the lock is ours: its builder was killed
        shutil.rmtree(stale)
    build = Path(tempfile.mkdtemp(prefix=f".{folder.name}.build-", dir=folder.parent))
    build.chmod(0o755)
    try:
        say(f"building the Debian {recipe.release} image for {recipe.driver} (once; kept in {folder})")
        _mmdebstrap(build, recipe, sources, say)
        if recipe.finish is not None:
            say("finishing the image")
            recipe.finish(build)
        build.rename(folder)
    finally:
        shutil.rmtree(build, ignore_errors=True)


def _mmdebstrap(build: Path, recipe: Recipe, sources: list[str], say: Callable[[str], None]) -> None:
    target = build / ("rootfs.tar" if recipe.output == "tar" else "rootfs")
    argv = ["mmdebstrap", f"--mode={'root' if os.geteuid() == 0 else 'unshare'}", "--variant=minbase"]
    argv += [f"--format={recipe.output}", '--aptopt=APT::Install-Recommends "false"']
    # As words: without root, mmdebstrap reads files as a user who may not enter a private home folder.
    argv += [f"--aptopt={line}" for line in aptsources.apt_options().splitlines()]
    argv += [f"--dpkgopt={option}" for option in _DPKG_OPTIONS]
    argv += ["--include=" + ",".join(sorted({*COMMON_PACKAGES, *recipe.packages}))]
    argv += [f"--customize-hook={hook}" for hook in (*COMMON_HOOKS, *recipe.hooks)]
    argv += [RELEASES[recipe.release], str(target), *sources]
    run_logged(argv, build / "mmdebstrap.log", say, _BUILD_S, {**os.environ, "LC_ALL": "C.UTF-8"}, "the image")


def run_logged(
    argv: list[str], log: Path, say: Callable[[str], None], seconds: int, env: dict[str, str], what: str
) -> None:
    """Run a builder, pass its `I:` lines on as progress, keep all of them in `log`; LabError shows the end of it."""
    with log.open("w", encoding="utf-8") as sink:
        process = subprocess.Popen(
            # Whatever ends this process, the builder ends too, and unmounts what it mounted.
            [*bound("TERM"), "timeout", "--foreground", "--kill-after=10", str(seconds), *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=env,
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                sink.write(line)
                if line.startswith("I: ") and "hook" not in line:
                    say("  " + line[3:].strip())
        except BaseException:
            process.terminate()
            raise
        finally:
            process.wait()
    if process.returncode != 0:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise LabError(f"{argv[0]} could not build {what} (exit code {process.returncode}):\n{tail}")
