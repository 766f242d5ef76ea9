# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The files that decide who gets in: read, kept for the way back, and the way back itself."""

from __future__ import annotations

import glob
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.rampart.fleet.plugins.module_utils.pam.stacks import modules

SERVICES, STATE, PROFILES = "/etc/pam.d", "/var/lib/pam", "/usr/share/pam-configs"
# Where distributions keep the modules; a name without a slash is looked for here.
_HOMES = ("/lib/security", "/lib/*/security", "/usr/lib/*/security", "/lib64/security")


class LoginError(Exception):
    """The files are not fit to be used, or were taken back; the message says what to do."""


@dataclass(frozen=True)
class Saved:
    """What stood at paths before a change: contents by their name in the snapshot, and what was not there."""

    contents: dict[str, str]
    places: dict[str, tuple[str, int]]
    absent: tuple[str, ...]


def texts(folder: str) -> dict[str, str]:
    """Return the text of each service of a folder by name."""
    files = (path for path in Path(folder).iterdir() if path.is_file() and "." not in path.name)
    return {path.name: path.read_text(encoding="utf-8", errors="replace") for path in files}


def missing_modules(services: Mapping[str, str], today: Mapping[str, str], root: str = "") -> list[tuple[str, str]]:
    """Return each module that the services name, today's did not, and that is not here; with a service that does."""
    known = modules(today)
    return [
        (name, service)
        for name, service in sorted(modules(services).items())
        if name not in known and not _exists(name, root)
    ]


def _exists(name: str, root: str) -> bool:
    if name.startswith("/"):
        return os.path.exists(root + name)  # noqa: PTH110  strings in, strings out
    return any(glob.glob(f"{root}{home}/{name}") for home in _HOMES)  # noqa: PTH207


def snapshot(paths: Sequence[str]) -> Saved:
    """Return what stands at the paths and in the files that pam-auth-update keeps."""
    kept = [*sorted(glob.glob(f"{SERVICES}/common-*")), *sorted(glob.glob(f"{STATE}/*"))]  # noqa: PTH207
    contents, places, absent = {}, {}, []
    for number, path in enumerate(dict.fromkeys([*paths, *kept])):
        try:
            contents[f"file-{number}"] = Path(path).read_text(encoding="utf-8", errors="surrogateescape")
            places[f"file-{number}"] = (path, Path(path).stat().st_mode & 0o7777)
        except FileNotFoundError:
            absent.append(path)
    return Saved(contents, places, tuple(absent))


def undo(saved: Saved, folder: str) -> list[str]:
    """Return the lines of a script that puts everything back; each file moves into its place at once."""
    lines = []
    for name, (path, mode) in saved.places.items():
        # A name with a dot is read by neither sudo nor PAM.
        aside = shlex.quote(f"{os.path.dirname(path)}/.{os.path.basename(path)}.rampart-undo")  # noqa: PTH119,PTH120
        lines.append(f"install -m {mode:04o} {folder}/{name} {aside} && mv -T {aside} {shlex.quote(path)}")
    return lines + [f"rm -f {shlex.quote(path)}" for path in saved.absent]
