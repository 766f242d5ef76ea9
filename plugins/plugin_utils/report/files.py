# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Write the files of a report together or not at all: a full disk must not destroy the report of the run before."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


class ReportUnwritable(Exception):
    """A file of the report could not be written; those of the run before are intact."""


@dataclass(frozen=True)
class Content:
    """What goes into one file. Reports hold evidence about weaknesses, so they are private unless said otherwise."""

    text: str
    mode: int = 0o600


def _stage(path: Path, content: Content) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    staged = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as stream:
            stream.write(content.text)
            stream.flush()
            os.fsync(stream.fileno())
        staged.chmod(content.mode)
    except OSError:
        with suppress(OSError):
            staged.unlink()
        raise
    return staged


def write_together(directory: Path, contents: Mapping[str, Content]) -> list[Path]:
    """Write ``contents`` (file name to content) into ``directory`` and return the paths.

    Every file is complete on disk under a temporary name before the first is renamed into place.
    Raises ReportUnwritable, after removing the temporary files, when one cannot be written.
    """
    staged: dict[Path, Path] = {}
    current = directory
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in contents.items():
            current = directory / name
            staged[current] = _stage(current, content)
        for current, temporary in staged.items():
            temporary.replace(current)
    except OSError as error:
        for temporary in staged.values():
            with suppress(OSError):
                temporary.unlink()
        raise ReportUnwritable(
            f"cannot write {current}: {error.strerror or error}; the report of the run before is as it was. "
            "Free space or choose another posture_report_dir, then run the report again"
        ) from error
    return list(staged)
