# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What Ansible builds of a module before it goes to a host, kept from run to run.

It finds the imports of a module by parsing each file that it leads to, and does so in every run anew: half a second for
the probes. The files are Ansible's own, taken as they are; where a release keeps none, or elsewhere, nothing is saved.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from ansible import constants
from ansible.release import __version__ as ansible_version

_KEPT = 4
_OURS = "rampart"


class PayloadCache:
    """The payloads of one state of the code: `lend` before modules run, `keep` after."""

    def __init__(self, cache: Path, root: Path, built: Path | None = None) -> None:
        """`cache` is where they are kept, `root` the collection; `built` where Ansible puts those of this run."""
        self._kept = cache / _digest(root)
        self._built = built or Path(constants.DEFAULT_LOCAL_TMP) / "ansiballz_cache"

    def lend(self) -> None:
        """Give this run what was kept; only what is the caller's own, because Ansible believes it."""
        try:
            if self._kept.stat().st_uid == os.geteuid():
                self._built.mkdir(mode=0o700, exist_ok=True)
                _copy(self._kept.iterdir(), self._built)
        except OSError:
            return

    def keep(self) -> None:
        """Keep what this run built of ours; a cache that cannot be written costs time and nothing else."""
        try:
            ours = [path for path in self._built.iterdir() if _OURS in path.name and path.suffix != ".lock"]
            if all((self._kept / path.name).exists() for path in ours):
                return
            self._kept.mkdir(mode=0o700, parents=True, exist_ok=True)
            _copy(ours, self._kept)
            states = sorted(self._kept.parent.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
            for old in states[_KEPT:]:
                shutil.rmtree(old)
        except OSError:
            return


def default_payloads() -> Path:
    """Return $XDG_CACHE_HOME/rampart/payloads, or the same under ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "rampart" / "payloads"


def _copy(paths: Iterable[Path], folder: Path) -> None:
    for path in paths:
        target = folder / path.name
        if target.exists() or path.name.startswith("."):
            continue
        # Whole or not at all: other processes of the run look for the name.
        part = folder / f".{path.name}.{os.getpid()}"
        part.write_bytes(path.read_bytes())
        part.replace(target)


def _digest(root: Path) -> str:
    """Return the hash of all that a payload is made of, and of where it comes from."""
    plugins = root / "plugins"
    digest = hashlib.sha256(
        f"{ansible_version} {Path(constants.__file__)} {constants.DEFAULT_MODULE_UTILS_PATH}".encode()
    )
    for path in sorted([*(plugins / "modules").glob("*.py"), *(plugins / "module_utils").rglob("*.py")]):
        digest.update(f"{path.relative_to(root)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
