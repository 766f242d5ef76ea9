# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a new boot menu may take the place of the old one: it must start by itself what is on the disk. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from ansible_collections.rampart.fleet.plugins.module_utils.boot.grub import Entry, MenuError, read

_ROOT = re.compile(r"(?:^|\s)(root=\S+)")
_FOLDERS = ("", "/boot")


class Refused(Exception):
    """The new menu must not be used; the message says what is wrong with it and what is wanted."""


def judge(new: str, old: str, environment: dict[str, str], exists: Callable[[str], bool]) -> Entry:
    """Return the entry that the new menu starts by itself; raise Refused when the host would not come up with it."""
    try:
        entry = read([new], environment).default()
    except MenuError as error:
        raise Refused(f"{error}, wanted at least one: do the scripts of /etc/grub.d run?") from None
    for path in (entry.kernel, *entry.initrds):
        # A separate /boot is the root of its own file system to GRUB.
        if not any(exists(folder + _unprefixed(path)) for folder in _FOLDERS):
            raise Refused(f"'{entry.title}' starts {path}, which is not there; wanted a kernel of this host")
    before, after = _root(_default(old)), _root(entry)
    if before and before != after:
        raise Refused(f"'{entry.title}' has {after or 'no root='}, the menu in use has {before}; wanted the same")
    return entry


def waiting(entry: Entry, running: str) -> list[str]:
    """Return the words of an entry that the running kernel was not started with."""
    has = set(running.split())
    return [word for word in entry.arguments.split() if word not in has]


def _default(text: str) -> Entry | None:
    try:
        return read([text], {}).default()
    except MenuError:
        return None


def _root(entry: Entry | None) -> str:
    match = _ROOT.search(entry.arguments) if entry else None
    return match.group(1) if match else ""


def _unprefixed(path: str) -> str:
    """Take away the device in brackets by which GRUB may begin a path."""
    return re.sub(r"^\([^)]*\)", "", path)
