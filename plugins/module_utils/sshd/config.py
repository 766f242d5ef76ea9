# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The files of an sshd configuration as the directives that sshd sees, in its order, each with its file, line and
Match block.

sshd takes the first value of a keyword; a Match block's value wins over those outside of it. What is in force is
measured with `sshd -T`; this says where it comes from.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Callable

from ansible_collections.rampart.fleet.plugins.module_utils.file_set.block import with_block

_DEPTH = 16
# Of these sshd takes the last value: it never looks whether there is one already (servconf.c, sMaxStartups).
_LAST_WINS = ("maxstartups",)
# Of these it takes all values.
_ADDING_UP = (
    "acceptenv", "allowgroups", "allowusers", "authenticationmethods", "denygroups", "denyusers", "hostkey",
    "listenaddress", "persourcepenalties", "port", "setenv", "subsystem",
)  # fmt: skip


@dataclass(frozen=True)
class Directive:
    """One line of the configuration. `keyword` is in lower case; `match` is the criteria of the block, None outside
    of any."""

    file: str
    line: int
    keyword: str
    value: str
    match: str | None = None

    @property
    def place(self) -> str:
        """Return where it stands, for messages."""
        block = f" (in the block `Match {self.match}`)" if self.match else ""
        return f"{self.file}, line {self.line}{block}"


def directives(
    path: str,
    read: Callable[[str], str],
    glob: Callable[[str], Sequence[str]],
    match: str | None = None,
    depth: int = 0,
) -> Iterator[Directive]:
    """Yield the directives of a file with those of its includes in place.

    `read` returns a file's text, `glob` the sorted paths of a pattern. What `read` raises goes through.
    """
    for line, keyword, value in split(read(path)):
        if keyword == "match":
            match = value
        elif keyword == "include" and depth < _DEPTH:
            for pattern in words(value):
                for included in glob(absolute(pattern)):
                    yield from directives(included, read, glob, match, depth + 1)
            continue
        yield Directive(path, line, keyword, value, match if keyword != "match" else value)


def split(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line number, keyword in lower case and value of each line that is neither empty nor a comment."""
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        keyword, _unused, rest = line.replace("=", " ", 1).partition(" ") if "=" in line.split()[0] else _cut(line)
        yield number, keyword.lower(), rest.strip()


def words(value: str) -> list[str]:
    """Return the arguments of a directive, quotes taken off."""
    try:
        return shlex.split(value, comments=True)
    except ValueError:
        return value.split()


def absolute(pattern: str, home: str = "/etc/ssh") -> str:
    """Return the path of an Include argument; sshd looks for relative ones in /etc/ssh."""
    return pattern if pattern.startswith("/") else posixpath.join(home, pattern)


def rebased(text: str, old: str, new: str) -> str:
    """Return a configuration whose Includes of the folder `old` read the folder `new`."""
    result = []
    for raw in text.splitlines():
        line = raw.strip()
        if line[:7].lower() == "include" and not line.startswith("#"):
            _unused, keyword, value = next(split(line))
            moved = [_moved(absolute(word), old, new) for word in words(value)]
            raw = "{} {}".format(keyword.capitalize(), " ".join(f'"{word}"' for word in moved))
        result.append(raw)
    return "\n".join(result) + "\n"


def repeated(text: str, settings: str) -> str:
    """Return a main configuration with the rendered settings as the block of ours, before its first directive but for
    Include; without settings there is none.

    A second value of a list that adds up would be a second entry, and where the last value counts the block would
    decide.
    """
    lines = settings.splitlines(keepends=True)
    content = "".join(line for line in lines if line.split()[0].lower() not in (*_ADDING_UP, *_LAST_WINS))
    return with_block(text, content, before=_decides)


def includes(text: str, path: str, match_glob: Callable[[str, str], bool]) -> bool:
    """Say whether a configuration includes the path, before any other directive takes effect or after."""
    return any(
        match_glob(path, absolute(word))
        for _unused, keyword, value in split(text)
        if keyword == "include"
        for word in words(value)
    )


def rivals(found: Sequence[Directive], keyword: str, own: str) -> list[Directive]:
    """Return what may decide a keyword instead of the file `own`: what stands before it (after it, where the last value
    counts), and what stands in Match blocks."""
    same = [one for one in found if one.keyword == keyword.lower()]
    first = next((index for index, one in enumerate(same) if one.file == own), len(same))
    last = keyword.lower() in _LAST_WINS
    return [
        one for index, one in enumerate(same) if one.file != own and (last or index < first or one.match is not None)
    ]


def _cut(line: str) -> tuple[str, str, str]:
    parts = line.split(None, 1)
    return parts[0], " ", parts[1] if len(parts) > 1 else ""


def _decides(line: str) -> bool:
    return next((keyword for _number, keyword, _value in split(line)), "include") != "include"


def _moved(path: str, old: str, new: str) -> str:
    return new + path[len(old) :] if path == old or path.startswith(old + "/") else path
