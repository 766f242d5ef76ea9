# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the next boot will set: the files of sysctl.d in the order and with the precedence of systemd-sysctl(8)."""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ansible_collections.rampart.fleet.plugins.module_utils.sysctl.keys import canonical, dotted, is_pattern, normal

# In falling precedence: of files with one name the first counts, all others are read in the order of their names.
FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")


@dataclass(frozen=True)
class Assignment:
    """A value and the file that gives it."""

    value: str
    file: str


def order(paths: Iterable[str]) -> list[str]:
    """Return the files that count, in the order in which they are read."""
    chosen: dict[str, str] = {}
    for path in paths:
        folder, name = posixpath.split(path)
        rival = chosen.get(name)
        if rival is None or FOLDERS.index(folder) < FOLDERS.index(posixpath.dirname(rival)):
            chosen[name] = path
    return [chosen[name] for name in sorted(chosen)]


@lru_cache(maxsize=64)  # a hundred keys are looked up in the same few files
def parse(text: str) -> Mapping[str, str | None]:
    """Return the assignments of a file by path form, the last one wins; None is a `-key`, which keeps patterns off."""
    found: dict[str, str | None] = {}
    for line in text.splitlines():
        line = line.strip()
        if not line or line[0] in "#;":
            continue
        key, sign, value = line.partition("=")
        key = key.strip()
        if not sign and not key.startswith("-"):
            continue
        path = canonical(key.lstrip("-").strip())
        found.pop(path, None)
        found[path] = normal(value) if sign else None
    return found


def boot_values(files: Sequence[tuple[str, str]], keys: Iterable[str]) -> dict[str, Assignment]:
    """Return what boot will set of these keys, from (path, text) of the files in reading order.

    An exact assignment beats every pattern, whichever file it stands in; otherwise the last one wins.
    """
    merged = _merged(files)
    result = {}
    for key in keys:
        assignment = merged[key] if key in merged else _by_pattern(key, merged)
        if assignment is not None:
            result[key] = assignment
    return result


def _merged(files: Sequence[tuple[str, str]]) -> dict[str, Assignment | None]:
    merged: dict[str, Assignment | None] = {}
    for file, text in files:
        for path, value in parse(text).items():
            before = merged.get(path)
            # systemd-sysctl skips an assignment that says what it has already, and so leaves it in its place.
            if before is None or before.value != value:
                merged.pop(path, None)
                merged[path] = None if value is None else Assignment(value, file)
    return merged


def rivals(files: Sequence[tuple[str, str]], key: str) -> list[Assignment]:
    """Return every assignment that could set a key, by name or by pattern, in reading order."""
    return [
        Assignment(value, file)
        for file, text in files
        for path, value in parse(text).items()
        if value is not None and (path == key or (is_pattern(path) and matches(key, path)))
    ]


def overridden(wanted: Mapping[str, str], files: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """Return the keys that another file will set otherwise at the next boot: key, file, value, wanted."""
    boot = boot_values(files, wanted)
    return [
        {"key": dotted(key), "file": boot[key].file, "value": boot[key].value, "wanted": wanted[key]}
        for key in wanted
        if key in boot and boot[key].value != wanted[key]
    ]


def _by_pattern(key: str, merged: Mapping[str, Assignment | None]) -> Assignment | None:
    found = None
    for pattern, assignment in merged.items():
        if is_pattern(pattern) and matches(key, pattern):
            found = assignment
    return found


def matches(key: str, pattern: str) -> bool:
    """Say whether a key is one of those that a pattern stands for; a star does not cross a slash."""
    parts, wanted = key.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))
