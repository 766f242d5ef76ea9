# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Disks of virtual machines: qcow2 files that hold what differs from a base, or nothing yet."""

from __future__ import annotations

from pathlib import Path

from rampart.lab.qemu_image import DISK_MIB
from rampart.lab.tools import run, tool


def overlay(path: Path, base: Path, base_format: str, size_mib: int) -> None:
    """A disk that begins as `base`, which must stay unchanged. Never smaller than the image; kept when it exists."""
    if not path.exists():
        size = f"{max(size_mib, DISK_MIB)}M"
        _create(path, "-b", str(base), "-F", base_format, size=size)


def empty(path: Path, size_mib: int) -> None:
    """A disk without content. Kept when it exists."""
    if not path.exists():
        _create(path, size=f"{size_mib}M")


def _create(path: Path, *options: str, size: str) -> None:
    temporary = path.with_suffix(".new")
    run([tool("qemu-img"), "create", "-q", "-f", "qcow2", *options, str(temporary), size])
    temporary.replace(path)
