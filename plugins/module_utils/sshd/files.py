# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Reading and replacing the files of an sshd configuration."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def read(path: str) -> str:
    """Return the text of a file."""
    return Path(path).read_text(encoding="utf-8", errors="replace")


def paths(pattern: str) -> list[str]:
    """Return the sorted paths of an absolute pattern."""
    return sorted(str(path) for path in Path("/").glob(pattern.lstrip("/")))


def write(target: Path, content: str) -> None:
    """Replace a file atomically; it appears with its final mode."""
    handle, name = tempfile.mkstemp(prefix=".rampart-", dir=str(target.parent))
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(content)
        os.fchmod(file.fileno(), 0o600)
    Path(name).replace(target)
