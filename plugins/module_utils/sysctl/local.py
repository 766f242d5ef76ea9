# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The running kernel's parameters and the files of sysctl.d, from the file system."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from ansible_collections.rampart.fleet.plugins.module_utils.sysctl.boot import FOLDERS, order
from ansible_collections.rampart.fleet.plugins.module_utils.sysctl.keys import normal


class ProcSys:
    """KernelParameters by /proc/sys."""

    def __init__(self, base: str = "/proc/sys") -> None:
        self._base = Path(base)

    def expand(self, pattern: str) -> list[str]:
        """Return the existing keys that a pattern stands for."""
        return sorted(os.path.relpath(path, self._base) for path in glob.glob(str(self._base / pattern)))  # noqa: PTH207

    def read(self, key: str) -> str | None:
        """Return a key's value in normal form, or None when this kernel has no such key or keeps it to itself."""
        try:
            return normal((self._base / key).read_text(encoding="utf-8", errors="replace"))
        except OSError:
            return None

    def why_read_only(self, key: str) -> str | None:
        """Return why a key cannot be written; opening for writing asks the kernel and changes nothing."""
        try:
            os.close(os.open(self._base / key, os.O_WRONLY))
        except OSError as error:
            return f"{self._base / key} cannot be written here: {error.strerror}"
        return None

    def write(self, key: str, value: str) -> None:
        """Set a key; OSError when the kernel refuses."""
        descriptor = os.open(self._base / key, os.O_WRONLY)
        try:
            os.write(descriptor, f"{value}\n".encode())
        finally:
            os.close(descriptor)


def sysctl_files(root: str = "/", instead: tuple[str, str] | None = None) -> list[tuple[str, str]]:
    """Return (path, text) of the files that boot reads, in order; `instead` is a path with the text it will have."""
    base = root.rstrip("/")
    found = {f"{folder}/{path.name}": path for folder in FOLDERS for path in Path(base + folder).glob("*.conf")}
    texts = {path: _text(real) for path, real in found.items()}
    if instead is not None:
        texts[instead[0]] = instead[1]
    return [(path, texts[path]) for path in order(texts) if texts[path]]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        # A dangling link or a mask (/dev/null) sets nothing.
        return ""
