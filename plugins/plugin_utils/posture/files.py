# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Files that hold evidence: private, and whole or not there at all."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

_SUFFIX = ".rampart-new"
_STALE_S = 600.0  # longer than any report takes to write: younger ones may be another run's


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 in one step: whoever reads sees the old content or the new. OSError when it cannot."""
    staged = stage(path, text)
    try:
        staged.replace(path)
    except BaseException:
        discard(staged)
        raise


def stage(path: Path, text: str, mode: int = 0o600) -> Path:
    """Write what shall stand at ``path`` to a file beside it, down to the disk, and return that.

    It is gone when anything raises, a Ctrl-C as well. What killed runs left in the folder is removed first.
    """
    _sweep(path.parent)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_SUFFIX, dir=path.parent)
    staged = Path(name)
    try:
        # A host can send half of a surrogate pair, which UTF-8 has no bytes for; JSON has an escape.
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        staged.chmod(mode)
    except BaseException:
        discard(staged)
        raise
    return staged


def discard(staged: Path) -> None:
    """Remove a staged file, also from a disk that is in trouble."""
    with suppress(OSError):
        staged.unlink()


def _sweep(folder: Path) -> None:
    for left in folder.glob(f".*{_SUFFIX}"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_S:
                left.unlink()
