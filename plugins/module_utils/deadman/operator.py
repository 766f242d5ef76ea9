# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Who is connected: the SSH connection that a module runs in, found among its own ancestors, since sudo clears the
environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

_DEPTH = 64


@dataclass(frozen=True)
class Operator:
    """The far end of the SSH connection, and the local port it came in by."""

    user: str
    address: str
    local_address: str
    local_port: int


def operator(read: Callable[[str], str], pid: int) -> Operator | None:
    """Return who runs this process over SSH, or None when it was not started over SSH.

    `read` returns the text of a file under /proc and raises OSError; `pid` is where the search begins.
    """
    found = None
    for _unused in range(_DEPTH):
        if pid <= 1:
            break
        try:
            environment = _environment(read(f"/proc/{pid}/environ"))
            pid = _parent(read(f"/proc/{pid}/stat"))
        except (OSError, ValueError, IndexError):
            break
        # The outermost one is the login itself; USER changes further in.
        found = _from(environment) or found
    return found


def _from(environment: dict[str, str]) -> Operator | None:
    words = environment.get("SSH_CONNECTION", "").split()
    if len(words) != 4 or not words[3].isdigit():
        return None
    return Operator(environment.get("USER", ""), words[0].partition("%")[0], words[2].partition("%")[0], int(words[3]))


def _environment(text: str) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in text.split("\0") if "=" in entry)
    return {name: value for name, _unused, value in pairs}


def _parent(stat: str) -> int:
    return int(stat[stat.rindex(")") + 1 :].split()[1])
