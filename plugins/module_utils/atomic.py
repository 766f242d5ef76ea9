# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Replace a file in one step, and leave nothing beside it when that is interrupted."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def beside(path: str) -> str:
    """Return the name under which the new file waits: with a leading dot, and neither *.conf nor *.rules, so that no
    tool takes it for its own. Always the same, so that the next run clears away what a killed one left."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.rampart-new")  # noqa: PTH118  strings in, strings out


def remove(path: str) -> None:
    """Remove a file that may be gone already."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(path)  # noqa: PTH108  a string


def write(path: str, content: bytes, mode: int, uid: int = -1, gid: int = -1) -> None:
    """Write a new file down to the disk, for its owner alone until it has its mode; a leftover is removed first."""
    remove(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fchown(stream.fileno(), uid, gid)
        os.fchmod(stream.fileno(), mode)
        os.fsync(stream.fileno())


def replace(path: Path, content: str, mode: int) -> None:
    """Replace a file; whoever reads sees the old one or the new, never a part."""
    staged = beside(str(path))
    with interruptible():
        try:
            write(staged, content.encode("utf-8"), mode)
            os.replace(staged, path)  # noqa: PTH105
        finally:
            remove(staged)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Make SIGTERM and SIGHUP, which a broken connection sends, an exception: what was begun is undone or removed."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, _end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _frame: Any) -> None:
    raise SystemExit(f"ended by {signal.Signals(number).name}; what was not finished was taken back")
