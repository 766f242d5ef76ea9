# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A host made of recorded data, for tests of probes."""

from __future__ import annotations

import fnmatch
import shlex
import stat as stat_bits
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError, ToolMissing
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import CommandResult, DirEntry, FileStat

T = TypeVar("T")

Outcome = str | tuple[int, str, str] | Exception


@dataclass
class RecordedHost:
    """Answers from mappings; what was not recorded does not exist.

    `files`: path to text or bytes, or to an exception that reading raises. `stats`: path to FileStat (default of a
    file: 0644 root root; parents of files are directories). `links`: path to link text. `commands`: argv as a tuple or
    joined by blanks, to stdout or (rc, stdout, stderr) or an exception. `users`/`groups`: number to name. `asked`
    collects what was run.
    """

    files: Mapping[str, str | bytes | Exception] = field(default_factory=dict)
    stats: Mapping[str, FileStat | Exception] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str | tuple[str, ...], Outcome] = field(default_factory=dict)
    users: Mapping[int, str] = field(default_factory=lambda: {0: "root"})
    groups: Mapping[int, str] = field(default_factory=lambda: {0: "root"})
    asked: list[str] = field(default_factory=list)
    derived: dict[str, Any] = field(default_factory=dict)

    def read_text(self, path: str) -> str:
        return self.read_bytes(path).decode("utf-8", "replace")

    def read_bytes(self, path: str) -> bytes:
        content = self.files.get(self._resolve(path))
        if content is None:
            raise Absent(f"{path} does not exist")
        if isinstance(content, Exception):
            raise content
        return content if isinstance(content, bytes) else content.encode()

    def exists(self, path: str) -> bool:
        try:
            self.stat(path)
        except Absent:
            return False
        return True

    def stat(self, path: str, follow: bool = True) -> FileStat:
        if path in self.links and not follow:
            return FileStat(mode=stat_bits.S_IFLNK | 0o777, uid=0, gid=0)
        path = self._resolve(path)
        known = self.stats.get(path)
        if isinstance(known, Exception):
            raise known
        if known is not None:
            return known
        if path in self.files:
            return FileStat(mode=stat_bits.S_IFREG | 0o644, uid=0, gid=0, size=len(str(self.files[path])))
        if any(other.startswith(path.rstrip("/") + "/") for other in self._paths()):
            return FileStat(mode=stat_bits.S_IFDIR | 0o755, uid=0, gid=0)
        raise Absent(f"{path} does not exist")

    def readlink(self, path: str) -> str:
        if path not in self.links:
            if self.exists(path):
                raise ProbeError(f"{path} cannot be read: Invalid argument")
            raise Absent(f"{path} does not exist")
        return self.links[path]

    def listdir(self, path: str) -> list[str]:
        prefix = path.rstrip("/") + "/"
        names = {other[len(prefix) :].split("/")[0] for other in self._paths() if other.startswith(prefix)} - {""}
        if not names:
            self.stat(path)
        return sorted(names)

    def scandir(self, path: str) -> list[DirEntry]:
        base = path.rstrip("/")
        return [DirEntry(name, self.stat(f"{base}/{name}", follow=False)) for name in self.listdir(path)]

    def glob(self, pattern: str) -> list[str]:
        depth = pattern.count("/")
        found = {"/".join(path.split("/")[: depth + 1]) for path in self._paths() if path.count("/") >= depth}
        return sorted(path for path in found if fnmatch.fnmatchcase(path, pattern))

    def which(self, tool: str) -> str | None:
        return f"/usr/bin/{tool}" if any(_argv(line)[0] == tool for line in self.commands) else None

    def run(self, argv: Sequence[str], timeout: float = 5.0, stdin: str = "") -> CommandResult:
        line = " ".join(argv)
        self.asked.append(line)
        if self.which(argv[0]) is None:
            raise ToolMissing(f"'{argv[0]}' is not installed")
        outcome = self.commands.get(tuple(argv), self.commands.get(line))
        if outcome is None:
            raise AssertionError(f"the test recorded no outcome of: {line}")
        if isinstance(outcome, Exception):
            raise outcome
        rc, out, err = (0, outcome, "") if isinstance(outcome, str) else outcome
        return CommandResult(tuple(argv), rc, out, err)

    def user_name(self, uid: int) -> str | None:
        return self.users.get(uid)

    def group_name(self, gid: int) -> str | None:
        return self.groups.get(gid)

    def once(self, name: str, ask: Callable[[], T]) -> T:
        if name not in self.derived:
            try:
                self.derived[name] = ask()
            except (Absent, ProbeError) as failure:
                self.derived[name] = failure
        answer = self.derived[name]
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    def stretched(self, seconds: float) -> float:
        return seconds

    def remaining(self) -> float:
        return 5.0

    def check_deadline(self) -> None:
        return None

    def until(self, deadline: float) -> RecordedHost:
        return self

    def afresh(self) -> RecordedHost:
        return self

    def _paths(self) -> set[str]:
        return {*self.files, *self.stats, *self.links}

    def _resolve(self, path: str) -> str:
        target = self.links.get(path)
        if target is None:
            return path
        return target if target.startswith("/") else path.rsplit("/", 1)[0] + "/" + target


def _argv(command: str | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(shlex.split(command)) if isinstance(command, str) else command
