# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The host this code runs on: reads its files and runs its tools, with a deadline and a memo for each run."""

from __future__ import annotations

import copy
import errno
import fnmatch
import glob as glob_module
import grp
import os
import pwd
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable, TypeVar

from ansible_collections.rampart.fleet.plugins.module_utils.posture.command import run_command
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import (
    Absent,
    ProbeError,
    ProbeTimeout,
    ToolMissing,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import CommandResult, DirEntry, FileStat

T = TypeVar("T")

SEARCH_PATH = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
MAX_READ_BYTES = 16 * 1024 * 1024
_PIECE_BYTES = 64 * 1024
_MISSING = (errno.ENOENT, errno.ENOTDIR)


class LocalHost:
    """The real host. `root` is put before every path, so that a mounted image can be measured as well.

    Reads and commands are memoised, failures too: equal questions of one run get equal answers. Threads may share it.
    """

    def __init__(
        self,
        root: str = "/",
        search_path: Sequence[str] = SEARCH_PATH,
        deadline: float = float("inf"),
        pace: float = 1.0,
    ) -> None:
        self._root = root.rstrip("/")
        self._search_path = tuple(search_path)
        self._deadline = deadline
        self._pace = pace
        self._memo: dict[tuple[Any, ...], tuple[bool, Any]] = {}

    def until(self, deadline: float) -> LocalHost:
        """Return a view with another deadline that shares the memo."""
        view = copy.copy(self)
        view._deadline = deadline
        return view

    def afresh(self) -> LocalHost:
        """Return a view with the same deadline and a memo of its own."""
        view = copy.copy(self)
        view._memo = {}
        return view

    def stretched(self, seconds: float) -> float:
        """Return a time limit for a normal host as it is for this one."""
        return seconds * self._pace

    def remaining(self) -> float:
        """Return the seconds left, never below zero."""
        return max(0.0, self._deadline - time.monotonic())

    def check_deadline(self) -> None:
        """Raise ProbeTimeout once the deadline has passed."""
        if time.monotonic() >= self._deadline:
            raise ProbeTimeout("the time of this probe is over")

    def read_bytes(self, path: str) -> bytes:
        """Return the whole file."""
        return self._once(("read", path), lambda: _read(self._real(path), path))

    def read_text(self, path: str) -> str:
        """Return the whole file as text."""
        return self.read_bytes(path).decode("utf-8", "replace")

    def exists(self, path: str) -> bool:
        """Say whether the path exists, links followed."""
        try:
            self.stat(path)
        except Absent:
            return False
        return True

    def stat(self, path: str, follow: bool = True) -> FileStat:
        """Return the status of a path."""
        call = os.stat if follow else os.lstat
        return self._once(("stat", path, follow), lambda: _told(path, lambda: file_stat(call(self._real(path)))))

    def readlink(self, path: str) -> str:
        """Return the text of a symbolic link."""
        return self._once(("readlink", path), lambda: _told(path, lambda: str(Path(self._real(path)).readlink())))

    def listdir(self, path: str) -> list[str]:
        """Return the sorted names in a directory."""
        return list(
            self._once(
                ("listdir", path),
                lambda: _told(path, lambda: sorted(entry.name for entry in os.scandir(self._real(path)))),
            )
        )

    def scandir(self, path: str) -> list[DirEntry]:
        """Return the entries of a directory with their lstat."""
        self.check_deadline()
        return _told(path, lambda: _entries(self._real(path)))

    def glob(self, pattern: str) -> list[str]:
        """Return the sorted paths that match."""
        if "**" in pattern:
            raise ProbeError(f"pattern '{pattern}' walks a tree, wanted one of fixed depth")
        return list(self._once(("glob", pattern), lambda: sorted(_matches(self._root, self._real(pattern)))))

    def which(self, tool: str) -> str | None:
        """Return the absolute path of a tool in the search path; one that is named by its path is where it says."""
        if tool.startswith("/"):
            return tool if Path(tool).is_file() and os.access(tool, os.X_OK) else None
        for folder in self._search_path:
            path = f"{folder}/{tool}"
            if Path(path).is_file() and os.access(path, os.X_OK):
                return path
        return None

    def run(self, argv: Sequence[str], timeout: float = 5.0, stdin: str = "") -> CommandResult:
        """Run a tool of the search path."""
        return self._once(("run", tuple(argv), stdin), lambda: self._run(tuple(argv), timeout, stdin))

    def user_name(self, uid: int) -> str | None:
        """Return the account name of a uid."""
        if self._root:
            return self._name_in("/etc/passwd", uid)
        return self._once(("user", uid), lambda: _known(lambda: pwd.getpwuid(uid).pw_name))

    def group_name(self, gid: int) -> str | None:
        """Return the group name of a gid."""
        if self._root:
            return self._name_in("/etc/group", gid)
        return self._once(("group", gid), lambda: _known(lambda: grp.getgrgid(gid).gr_name))

    def once(self, name: str, ask: Callable[[], T]) -> T:
        """Return what was asked under this name before, else ask."""
        return self._once(("once", name), ask)

    def _name_in(self, path: str, number: int) -> str | None:
        for line in self.read_text(path).splitlines():
            fields = line.split(":")
            if len(fields) > 2 and fields[2] == str(number):
                return fields[0]
        return None

    def _run(self, argv: tuple[str, ...], timeout: float, stdin: str) -> CommandResult:
        tool = self.which(argv[0])
        if tool is None:
            raise ToolMissing("'{}' is not installed: looked in {}".format(argv[0], ":".join(self._search_path)))
        return run_command(
            tool, argv, min(self.stretched(timeout), self.remaining()), stdin, ":".join(self._search_path)
        )

    def _real(self, path: str) -> str:
        if not path.startswith("/"):
            raise ProbeError(f"path '{path}' is relative, wanted an absolute one")
        return self._root + path

    def _once(self, key: tuple[Any, ...], ask: Callable[[], T]) -> T:
        self.check_deadline()
        if key not in self._memo:
            try:
                self._memo[key] = (True, ask())
            except (Absent, ProbeError) as failure:
                self._memo[key] = (False, failure)
            except ProbeTimeout as failure:
                # Whoever asks next would wait as long; only what its own deadline cut short may be asked again.
                if self.remaining() > 0:
                    self._memo[key] = (False, failure)
                raise
        good, answer = self._memo[key]
        if not good:
            raise type(answer)(*answer.args)
        return answer  # type: ignore[no-any-return]


def file_stat(status: os.stat_result) -> FileStat:
    """Return our value type of what the kernel said."""
    return FileStat(
        status.st_mode,
        status.st_uid,
        status.st_gid,
        status.st_size,
        status.st_dev,
        status.st_ino,
        status.st_nlink,
        status.st_mtime,
    )


def _told(path: str, ask: Callable[[], T]) -> T:
    """Ask the kernel; say in our terms what it refused."""
    try:
        return ask()
    except OSError as refused:
        if refused.errno in _MISSING:
            raise Absent(f"{path} does not exist") from None
        raise ProbeError(f"{path} cannot be read: {refused.strerror or refused}") from None


def _read(real: str, path: str) -> bytes:
    def ask() -> bytes:
        # A FIFO in the place of a file must not block: O_NONBLOCK opens it at once and reads nothing.
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return _drain(descriptor)
        finally:
            os.close(descriptor)

    content = _told(path, ask)
    if len(content) > MAX_READ_BYTES:
        raise ProbeError(f"{path} is larger than {MAX_READ_BYTES} bytes")
    return content


def _drain(descriptor: int) -> bytes:
    """Read to the end, or a little more than is allowed; in small pieces, because /proc/sys allocates what is asked."""
    pieces = []
    size = 0
    while size <= MAX_READ_BYTES:
        piece = os.read(descriptor, _PIECE_BYTES)
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _matches(root: str, real: str) -> list[str]:
    """Return what a pattern matches, without the root; a folder that may not be read is an error, never empty."""
    found = [root]
    for part in real[len(root) :].split("/")[1:]:
        if glob_module.has_magic(part):
            found = [
                f"{base}/{name}" for base in found for name in _names(base, base[len(root) :]) if _fits(name, part)
            ]
        else:
            found = [f"{base}/{part}" for base in found if _is_there(f"{base}/{part}", f"{base[len(root) :]}/{part}")]
    return [path[len(root) :] for path in found]


def _names(real: str, path: str) -> list[str]:
    try:
        return _told(path or "/", lambda: [entry.name for entry in os.scandir(real or "/")])
    except Absent:
        return []


def _fits(name: str, part: str) -> bool:
    return fnmatch.fnmatchcase(name, part) and (part.startswith(".") or not name.startswith("."))


def _is_there(real: str, path: str) -> bool:
    try:
        _told(path, lambda: os.lstat(real))
    except Absent:
        return False
    return True


def _entries(real: str) -> list[DirEntry]:
    entries = []
    with os.scandir(real) as listing:
        for entry in listing:
            try:
                entries.append(DirEntry(entry.name, file_stat(entry.stat(follow_symlinks=False))))
            except OSError:
                entries.append(DirEntry(entry.name, None))
    return entries


def _known(ask: Callable[[], str]) -> str | None:
    try:
        return ask()
    except KeyError:
        return None
