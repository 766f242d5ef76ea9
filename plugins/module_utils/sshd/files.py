# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Reading the files of an sshd configuration."""

from __future__ import annotations

from pathlib import Path


def read(path: str) -> str:
    """Return the text of a file."""
    return Path(path).read_text(encoding="utf-8", errors="replace")


def paths(pattern: str) -> list[str]:
    """Return the sorted paths of an absolute pattern."""
    return sorted(str(path) for path in Path("/").glob(pattern.lstrip("/")))
