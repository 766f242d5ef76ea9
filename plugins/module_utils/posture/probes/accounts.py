# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Accounts and groups of this host: who can log in, with what, for how long."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_NO_SHELL = ("nologin", "false", "true", "sync", "halt", "shutdown")
_AGES = ("last_change", "min_days", "max_days", "warn_days", "inactive_days", "expire_day")
# crypt(5): what stands between the first two dollars.
_HASHES = {"1": "md5", "2a": "bcrypt", "2b": "bcrypt", "2y": "bcrypt", "5": "sha256", "6": "sha512", "7": "scrypt"}
_HASHES.update({"y": "yescrypt", "gy": "gost-yescrypt"})
_ONLY = ("all", "login", "people", "system", "uid0")


@probe("users", optional=("only",), source="/etc/passwd; /etc/shadow; /etc/group; home directories")
def users(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return the local accounts.

    {name, uid, gid, group, groups: [], shell, login: has a shell to log in to, home, home_exists, home_mode,
     home_owner, password: set|locked|empty|none, hash: name of its scheme, last_change, min_days, max_days, warn_days,
     inactive_days, expire_day: numbers or null, uid_shared, name_shared}. `none` is a password that nothing matches
    (`*`), `locked` one that begins with `!`. `only` narrows: login, people (uid from UID_MIN to UID_MAX),
    system (the others but root), uid0. The password itself never leaves the host.
    """
    only = str(params.get("only", "all"))
    if only not in _ONLY:
        raise ProbeError(f"only is '{only}', wanted one of {', '.join(_ONLY)}")
    low, high = _uid_range(host)
    found = host.once("users", lambda: _users(host))
    return [one for one in found if only == "all" or only in _kinds_of(one, low, high)]


def _kinds_of(account: dict[str, Any], low: int, high: int) -> set[str]:
    """Return the words of `only` that an account answers to."""
    person = low <= account["uid"] <= high
    kinds = {"people"} if person else {"uid0"} if account["uid"] == 0 else {"system"}
    return kinds | ({"login"} if account["login"] else set())


@probe("groups", source="/etc/group; /etc/passwd")
def groups(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return the local groups: {name, gid, members: [], primary_of: [], gid_shared, name_shared}."""
    rows = _rows(host, "/etc/group", 4)
    gids = Counter(row[2] for row in rows)
    names = Counter(row[0] for row in rows)
    accounts = _rows(host, "/etc/passwd", 7)
    return [
        {
            "name": row[0],
            "gid": _int(row[2]),
            "members": [name for name in row[3].split(",") if name],
            "primary_of": [account[0] for account in accounts if account[3] == row[2]],
            "gid_shared": gids[row[2]] > 1,
            "name_shared": names[row[0]] > 1,
        }
        for row in rows
    ]


def _users(host: Host) -> list[dict[str, Any]]:
    rows = _rows(host, "/etc/passwd", 7)
    shadow = {row[0]: row for row in _rows(host, "/etc/shadow", 8)}
    group_rows = _rows(host, "/etc/group", 4)
    uids = Counter(row[2] for row in rows)
    names = Counter(row[0] for row in rows)
    return [
        {
            **_account(host, row, group_rows),
            **_password(row, shadow.get(row[0])),
            "uid_shared": uids[row[2]] > 1,
            "name_shared": names[row[0]] > 1,
        }
        for row in rows
    ]


def _account(host: Host, row: list[str], group_rows: list[list[str]]) -> dict[str, Any]:
    shell = row[6] or "/bin/sh"
    return {
        "name": row[0],
        "uid": _int(row[2]),
        "gid": _int(row[3]),
        "group": next((group[0] for group in group_rows if group[2] == row[3]), None),
        "groups": [group[0] for group in group_rows if row[0] in group[3].split(",")],
        "shell": shell,
        "login": shell.rsplit("/", 1)[-1] not in _NO_SHELL,
        **_home(host, row[5]),
    }


def _home(host: Host, path: str) -> dict[str, Any]:
    try:
        status = host.stat(path)
    except (Absent, ProbeError):
        return {"home": path, "home_exists": False, "home_mode": None, "home_owner": None}
    owner = host.user_name(status.uid)
    return {"home": path, "home_exists": status.type == "directory", "home_mode": status.octal, "home_owner": owner}


def _password(row: list[str], shadow: list[str] | None) -> dict[str, Any]:
    field = shadow[1] if shadow is not None and row[1] == "x" else row[1]
    ages = [_age(text) for text in shadow[2:8]] if shadow is not None else [None] * len(_AGES)
    return {"password": _state(field), "hash": _scheme(field), **dict(zip(_AGES, ages))}


def _state(field: str) -> str:
    if not field:
        return "empty"
    bare = field.lstrip("!")
    if field.startswith("!"):
        return "locked"
    return "set" if re.match(r"[$._/0-9A-Za-z]", bare) and len(bare) >= 13 else "none"


def _scheme(field: str) -> str | None:
    match = re.match(r"!*\$([^$]+)\$", field)
    if match:
        return _HASHES.get(match.group(1), match.group(1))
    return "des" if _state(field) == "set" else None


def _age(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?[0-9]+", text) else None


def _int(text: str) -> int:
    if not text.isdigit():
        raise ProbeError(f"'{text}' stands in the place of a number in /etc/passwd or /etc/group")
    return int(text)


def _rows(host: Host, path: str, width: int) -> list[list[str]]:
    lines = [line for line in host.read_text(path).splitlines() if line.strip() and line[0] not in "#+-"]
    rows = [line.split(":") for line in lines]
    short = next((line for line, row in zip(lines, rows) if len(row) < width), None)
    if short is not None:
        # The name is enough to find the line; the rest may hold a password.
        raise ProbeError(f"{path} has a line of fewer than {width} fields, of '{short.split(':')[0]}'")
    return rows


def _uid_range(host: Host) -> tuple[int, int]:
    """Return UID_MIN and UID_MAX; 1000 and 60000 are what useradd(8) takes without them."""
    found = {"UID_MIN": 1000, "UID_MAX": 60000}
    try:
        text = host.read_text("/etc/login.defs")
    except Absent:
        text = ""
    for name, value in re.findall(r"^\s*(UID_MIN|UID_MAX)\s+([0-9]+)", text, re.M):
        found[name] = int(value)
    return found["UID_MIN"], found["UID_MAX"]
