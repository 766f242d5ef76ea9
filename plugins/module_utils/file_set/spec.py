# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What a file of a set shall be: the caller's words checked, and turned into values.

Pure: names of owners and groups are resolved by functions that the caller passes in.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Callable

STATES = ("present", "absent", "directory", "restricted", "link", "block")
_WRITTEN = ("present", "block")
_OCTAL = re.compile(r"[0-7]{3,4}")

# A name or a number in, an id out; KeyError when nobody has the name.
IdOf = Callable[[str], int]


class SpecError(ValueError):
    """One or more entries of the set are wrong; the message names each path, what was found and what is wanted."""


@dataclass(frozen=True)
class FileSpec:
    """One wanted path. `mode` is the permission bits as a number; `validate` a command line with `%s`, or empty.

    `keep` says that owner and group stay as they are found. The `content` of a link is where it leads, that of a block
    what stands between its marks; `unless` is an expression for a line of others that makes a block needless.
    """

    path: str
    state: str
    content: str
    uid: int
    gid: int
    mode: int
    validate: str = ""
    keep: bool = False
    unless: str = ""


def parse(entries: Sequence[Mapping[str, Any]], uid_of: IdOf, gid_of: IdOf) -> list[FileSpec]:
    """Return the entries as specs in the order given; raise SpecError naming every entry that is wrong."""
    specs: list[FileSpec] = []
    problems: list[str] = []
    for entry in entries:
        spec, found = _one(entry, uid_of, gid_of)
        problems.extend("{}: {}".format(entry.get("path"), text) for text in found)
        if spec is not None:
            specs.append(spec)
    paths = [spec.path for spec in specs]
    problems.extend(f"{path}: named twice, wanted once" for path in sorted({p for p in paths if paths.count(p) > 1}))
    if problems:
        raise SpecError("; ".join(problems))
    return specs


def expand(specs: Sequence[FileSpec], matches: Callable[[str], Sequence[str]]) -> list[FileSpec]:
    """Return the specs with patterns of state `restricted` replaced by what matches and is not named by another."""
    named = {spec.path for spec in specs}
    found: list[FileSpec] = []
    for spec in specs:
        if spec.state != "restricted" or not any(mark in spec.path for mark in "*?["):
            found.append(spec)
            continue
        paths = [path for path in sorted(matches(spec.path)) if path not in named]
        named.update(paths)
        found.extend(replace(spec, path=path, keep=True) for path in paths)
    return found


def _one(entry: Mapping[str, Any], uid_of: IdOf, gid_of: IdOf) -> tuple[FileSpec | None, list[str]]:
    path = str(entry.get("path") or "")
    state = str(entry.get("state") or "present")
    content = entry.get("target") if state == "link" else entry.get("content")
    mode = entry.get("mode") or ("0755" if state == "directory" else "0644")
    validate = str(entry.get("validate") or "")
    unless = str(entry.get("unless") or "")
    problems = _shape(path, state, content, mode, validate)
    stray = "content" if state == "link" else "target"
    if entry.get(stray):
        problems.append(f"has {stray}, wanted none with state={state}")
    problems += _expression(unless, state)
    uid, problem = _id("owner", str(entry.get("owner") or "root"), uid_of)
    problems += problem
    gid, problem = _id("group", str(entry.get("group") or "root"), gid_of)
    problems += problem
    if problems:
        return None, problems
    return FileSpec(path, state, content or "", uid, gid, int(str(mode), 8), validate, unless=unless), []


def _shape(path: str, state: str, content: Any, mode: Any, validate: str) -> list[str]:
    problems = []
    if not path.startswith("/") or posixpath.normpath(path) != path or path == "/":
        problems.append("wanted an absolute path without '.', '..', doubled or trailing slashes")
    if state not in STATES:
        problems.append("state is {!r}, wanted one of {}".format(state, ", ".join(STATES)))
    if state in _WRITTEN and content is None:
        problems.append(f"has no content, wanted content with state={state}")
    if state == "link" and not content:
        problems.append("has no target, wanted target with state=link")
    if state not in (*_WRITTEN, "link") and content:
        problems.append(f"has content, wanted none with state={state}")
    if not isinstance(mode, str) or not _OCTAL.fullmatch(mode):
        problems.append(f'mode is {mode!r}, wanted an octal string such as "0644"')
    if validate and ("%s" not in validate or state not in _WRITTEN):
        problems.append(f"validate is {validate!r}, wanted a command with %s for the file, with state=present or block")
    return problems


def _expression(unless: str, state: str) -> list[str]:
    if unless and state != "block":
        return [f"unless is {unless!r}, wanted none with state={state}"]
    try:
        re.compile(unless)
    except re.error as error:
        return [f"unless is {unless!r}, wanted a regular expression: {error}"]
    return []


def _id(what: str, name: str, id_of: IdOf) -> tuple[int, list[str]]:
    if name.isdigit():
        return int(name), []
    try:
        return id_of(name), []
    except KeyError:
        return -1, [f"{what} '{name}' does not exist on this host, wanted an existing name or a number"]
