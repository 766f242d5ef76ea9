# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Hidden files in the homes of those who can log in: they configure programs, and hold secrets."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.accounts import users
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe


@probe("dot_files", optional=("names",), source="hidden files {names} in the homes of accounts that can log in")
def dot_files(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return [{user, path, type, mode, owner, own}] of regular files and links whose names begin with a dot.

    `names` are shell patterns (default all). `own`: owner and group are those of the account. Folders are not looked
    into. Homes that do not exist have none; one that cannot be read is an error.
    """
    patterns = [str(name) for name in params.get("names", ["*"])]
    found = host.once("dot_files", lambda: _found(host))
    return [one for one in found if any(fnmatchcase(one["path"].rsplit("/", 1)[-1], name) for name in patterns)]


def _found(host: Host) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for account in users(host, {"only": "login"}):
        home = account["home"].rstrip("/")
        # The root directory is the home of several accounts of the system, and no home of anybody.
        if home and account["home_exists"]:
            found += _of(host, account, home)
    return found


def _of(host: Host, account: dict[str, Any], home: str) -> list[dict[str, Any]]:
    try:
        entries = host.scandir(home)
    except Absent:
        return []
    return [
        {
            "user": account["name"],
            "path": f"{home}/{entry.name}",
            "type": entry.stat.type,
            "mode": entry.stat.octal,
            "owner": host.user_name(entry.stat.uid),
            "own": (entry.stat.uid, entry.stat.gid) == (account["uid"], account["gid"]),
        }
        for entry in sorted(entries, key=lambda one: one.name)
        if entry.name.startswith(".") and entry.stat is not None and entry.stat.type in ("file", "link")
    ]
