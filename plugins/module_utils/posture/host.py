# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The only way from a probe to the system: an interface, and the value types that cross it.

Probes are pure functions over a `Host`, so tests drive them with recorded data.
The real implementation is `local_host.LocalHost`.
"""

from __future__ import annotations

import stat as stat_bits
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, NamedTuple, Protocol, TypeVar

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError

T = TypeVar("T")

_TYPES = {
    stat_bits.S_IFREG: "file",
    stat_bits.S_IFDIR: "directory",
    stat_bits.S_IFLNK: "link",
    stat_bits.S_IFCHR: "char",
    stat_bits.S_IFBLK: "block",
    stat_bits.S_IFIFO: "fifo",
    stat_bits.S_IFSOCK: "socket",
}


@dataclass(frozen=True)
class CommandResult:
    """What a finished command left: `argv` as asked for, exit status (negative: that signal), decoded output."""

    argv: tuple[str, ...]
    rc: int
    stdout: str
    stderr: str

    def require_ok(self) -> CommandResult:
        """Return itself, or raise `ProbeError` naming the command, its status and the end of its stderr."""
        if self.rc != 0:
            tail = self.stderr.strip()[-400:] or self.stdout.strip()[-400:] or "no output"
            raise ProbeError(f"command '{' '.join(self.argv)}' ended with status {self.rc}, wanted 0: {tail}")
        return self


class FileStat(NamedTuple):
    """The part of `struct stat` that probes need; `mode` is the whole st_mode, `size` in bytes, `mtime` in seconds."""

    mode: int
    uid: int
    gid: int
    size: int = 0
    dev: int = 0
    inode: int = 0
    nlink: int = 1
    mtime: float = 0.0

    @property
    def type(self) -> str:
        """Return `file`, `directory`, `link`, `char`, `block`, `fifo` or `socket`."""
        return _TYPES.get(stat_bits.S_IFMT(self.mode), "other")

    @property
    def octal(self) -> str:
        """Return the permission bits, set-id and sticky bits included, as four octal digits such as `0640`."""
        return f"{stat_bits.S_IMODE(self.mode):04o}"


class DirEntry(NamedTuple):
    """One name of a directory with its `lstat`; `stat` is None when the entry vanished or may not be read."""

    name: str
    stat: FileStat | None


class Host(Protocol):
    """A host as probes see it. All paths are absolute on that host; implementations add their root prefix.

    Reads raise `Absent` when the path does not exist and `ProbeError` when it may not be read; every method raises
    `ProbeTimeout` once the deadline has passed. Reads and commands are memoised for the length of a run: a probe that
    wants a second reading of a moving value asks `afresh`.
    """

    def read_text(self, path: str) -> str:
        """Return the whole file as text, undecodable bytes replaced (at most 16 MiB, else `ProbeError`)."""

    def read_bytes(self, path: str) -> bytes:
        """Return the whole file (at most 16 MiB, else `ProbeError`)."""

    def exists(self, path: str) -> bool:
        """Say whether the path exists, links followed; `ProbeError` when that cannot be told."""

    def stat(self, path: str, follow: bool = True) -> FileStat:
        """Return the status of a path; with `follow=False` of a link itself."""

    def readlink(self, path: str) -> str:
        """Return the text of a symbolic link."""

    def listdir(self, path: str) -> list[str]:
        """Return the sorted names in a directory."""

    def scandir(self, path: str) -> list[DirEntry]:
        """Return the entries of a directory with their `lstat`, unsorted and not memoised (for walks)."""

    def glob(self, pattern: str) -> list[str]:
        """Return the sorted absolute paths that match a shell pattern; empty when none does."""

    def which(self, tool: str) -> str | None:
        """Return the absolute path of a tool in the fixed search path /usr/sbin:/usr/bin:/sbin:/bin, or None.

        A tool that is named by an absolute path is looked for there alone.
        """

    def run(self, argv: Sequence[str], timeout: float = 5.0, stdin: str = "") -> CommandResult:
        """Run a tool of the fixed search path with LC_ALL=C and no shell, whatever its exit status.

        `timeout` is in seconds of a normal host (see `stretched`), and cut to what is left of the probe's time. Raises
        `ToolMissing` when the tool is not installed and `ProbeTimeout` when it did not end in time (its whole process
        group is killed).
        """

    def user_name(self, uid: int) -> str | None:
        """Return the account name of a uid, or None when no account has it."""

    def group_name(self, gid: int) -> str | None:
        """Return the group name of a gid, or None when no group has it."""

    def once(self, name: str, ask: Callable[[], T]) -> T:
        """Return what `ask` returned or raised the first time in this run under this name (for what probes derive)."""

    def stretched(self, seconds: float) -> float:
        """Return a time limit that suits a normal host as it suits this one, which may be far slower (`pace.py`)."""

    def remaining(self) -> float:
        """Return the seconds left for the running probe."""

    def check_deadline(self) -> None:
        """Raise `ProbeTimeout` when the running probe's time is over; long loops call it."""

    def until(self, deadline: float) -> Host:
        """Return a view of this host with another deadline (`time.monotonic` seconds) that shares what was memoised."""

    def afresh(self) -> Host:
        """Return a view of this host with the same deadline that remembers nothing yet."""
