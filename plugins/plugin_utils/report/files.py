# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Write the files of a report together or not at all: a full disk must not destroy the report of the run before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.files import discard, stage


class ReportUnwritable(Exception):
    """A file of the report could not be written; those of the run before are intact."""


@dataclass(frozen=True)
class Content:
    """What goes into one file. Reports hold evidence about weaknesses, so they are private unless said otherwise."""

    text: str
    mode: int = 0o600


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
            staged[current] = stage(current, content.text, content.mode)
        for current, temporary in staged.items():
            temporary.replace(current)
    except OSError as error:
        raise ReportUnwritable(
            f"cannot write {current}: {error.strerror or error}; the report of the run before is as it was. "
            "Free space or choose another posture_report_dir, then run the report again"
        ) from error
    finally:
        for temporary in staged.values():
            discard(temporary)
    return list(staged)
