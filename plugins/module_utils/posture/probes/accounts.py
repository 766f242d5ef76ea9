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
_ONLY = ("all", "login", "people", "system", "uid0", "gid0", "password", "no_shell", "system_login", "key_only")


@probe("users", optional=("only",), source="/etc/passwd; /etc/shadow; /etc/group; home directories")
def users(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return the local accounts.

    {name, uid, gid, group, groups: [], shell, login: has a shell to log in to, home, home_exists, home_mode,
     home_owner, home_own: it is the account's, password: set|locked|empty|none, hash: name of its scheme, last_change,
     min_days, max_days, warn_days, inactive_days, expire_day: numbers or null, uid_shared, name_shared,
     shadowed: the hash stands in shadow alone,
     hash_cost: of yescrypt or null}. `none` is a password that nothing matches (`*`), `locked` one
    that begins with `!`. `only` narrows: login, people (uid from UID_MIN to UID_MAX), system (the others but root),
    uid0, gid0, password (one that lets in), no_shell (not login), system_login (both), key_only (login and no
    password). The password itself never leaves the host.
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
    kinds |= {"login"} if account["login"] else {"no_shell"}
    kinds |= {"gid0"} if account["gid"] == 0 else set()
    if account["password"] in ("set", "empty"):
        kinds.add("password")
    elif account["login"]:
        kinds.add("key_only")
    return kinds | ({"system_login"} if {"system", "login"} <= kinds else set())


@probe("password_changes", source="/etc/shadow; date")
def password_changes(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return when the accounts with a password set it: [{name, days: since 1970 or null, in_future: bool}].

    A day of grace: a clock may have stood further east when the password was set.
    """
    today = _today(host)
    accounts = users(host, {"only": "password"})
    days = {one["name"]: one["last_change"] for one in accounts}
    return [{"name": name, "days": day, "in_future": (day or 0) > today + 1} for name, day in days.items()]


@probe("groups", optional=("names", "gid"), source="/etc/group; /etc/passwd {names}")
def groups(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return the local groups: {name, gid, members: [], primary_of: [], everybody: [], gid_shared, name_shared}.

    `everybody` is members and accounts whose primary group it is. `names` or `gid` narrow; what does not exist is not
    in the list.
    """
    names, gid = params.get("names"), params.get("gid")
    found = host.once("groups", lambda: _groups(host))
    return [one for one in found if (names is None or one["name"] in names) and gid in (None, one["gid"])]


@probe("account_files", source="/etc/passwd; /etc/shadow; /etc/group; /etc/gshadow")
def account_files(host: Host, params: Params) -> dict[str, list[str]]:
    """Return {imported: lines that begin with + or -, by file, without_shadow, without_account, without_group}.

    `without_shadow` are accounts without a line in shadow, `without_account` lines of shadow whose account is gone,
    `without_group` lines of gshadow whose group is gone.
    """
    passwd, shadow = _names_in(host, "/etc/passwd"), _names_in(host, "/etc/shadow")
    group, gshadow = _names_in(host, "/etc/group"), _names_in(host, "/etc/gshadow")
    files = {"passwd": passwd, "shadow": shadow, "group": group, "gshadow": gshadow}
    return {
        "imported": [f"{file}: {name}" for file, names in files.items() for name in names if name[:1] in "+-"],
        "without_shadow": sorted(set(passwd) - set(shadow)),
        "without_account": sorted(set(shadow) - set(passwd)),
        "without_group": sorted(set(gshadow) - set(group)),
    }


@probe("useradd_defaults", source="useradd -D")
def useradd_defaults(host: Host, params: Params) -> dict[str, Any]:
    """Return what new accounts get, by name (GROUP, HOME, INACTIVE, EXPIRE, SHELL, SKEL, ...); numbers are ints."""
    lines = host.run(["useradd", "-D"]).require_ok().stdout.splitlines()
    pairs = [line.partition("=") for line in lines if "=" in line]
    if not pairs:
        raise ProbeError("'useradd -D' named no setting")
    return {name: value if _age(value) is None else int(value) for name, _sign, value in pairs}


@probe("name_services", required=("database",), source="/etc/nsswitch.conf {database}")
def name_services(host: Host, params: Params) -> list[str]:
    """Return the sources of a database of nsswitch.conf(5) in order; `files` alone when it has no line."""
    pattern = rf"^\s*{re.escape(str(params['database']))}\s*:(.*)$"
    found = re.findall(pattern, host.read_text("/etc/nsswitch.conf"), re.M)
    return re.sub(r"\[[^\]]*\]|#.*", " ", found[-1]).split() if found else ["files"]


@probe("subordinate_ids", source="/etc/subuid; /etc/subgid")
def subordinate_ids(host: Host, params: Params) -> dict[str, Any]:
    """Return {ranges: [{name, file, start, count}], overlaps: [text], unknown: [owner without account], low: [owner]}.

    `low` are owners whose range holds numbers of real accounts, below 65536. Files that do not exist have no ranges.
    """
    ranges = [one for file in ("subuid", "subgid") for one in _ranges(host, file)]
    known = set(_names_in(host, "/etc/passwd")) | {row[2] for row in _rows(host, "/etc/passwd", 7)}
    return {
        "ranges": ranges,
        "overlaps": [text for file in ("subuid", "subgid") for text in _overlaps(ranges, file)],
        "unknown": sorted({one["name"] for one in ranges} - known),
        "low": sorted({one["name"] for one in ranges if one["start"] < 65536}),
    }


def _ranges(host: Host, file: str) -> list[dict[str, Any]]:
    try:
        lines = host.read_text(f"/etc/{file}").splitlines()
    except Absent:
        return []
    found = []
    for line in (line for line in lines if line.strip() and not line.startswith("#")):
        fields = line.split(":")
        if len(fields) != 3 or not fields[1].isdigit() or not fields[2].isdigit():
            raise ProbeError(f"/etc/{file} has the line {line!r}, wanted name:start:count")
        found.append({"name": fields[0], "file": file, "start": int(fields[1]), "count": int(fields[2])})
    return found


def _overlaps(ranges: list[dict[str, Any]], file: str) -> list[str]:
    ordered = sorted((one for one in ranges if one["file"] == file), key=lambda one: (one["start"], one["name"]))
    # The one that reaches furthest so far is what the next may run into.
    found, reaching = [], None
    for one in ordered:
        if reaching is not None and one["start"] < reaching["start"] + reaching["count"]:
            found.append(f"{file}: {reaching['name']} and {one['name']}")
        if reaching is None or one["start"] + one["count"] > reaching["start"] + reaching["count"]:
            reaching = one
    return found


def _names_in(host: Host, path: str) -> list[str]:
    lines = host.read_text(path).splitlines()
    return [line.partition(":")[0] for line in lines if line.strip() and not line.startswith("#")]


def _groups(host: Host) -> list[dict[str, Any]]:
    rows = _rows(host, "/etc/group", 4)
    gids = Counter(row[2] for row in rows)
    names = Counter(row[0] for row in rows)
    accounts = _rows(host, "/etc/passwd", 7)
    primary = {row[2]: [account[0] for account in accounts if account[3] == row[2]] for row in rows}
    members = {tuple(row): [name for name in row[3].split(",") if name] for row in rows}
    return [
        {
            "name": row[0],
            "gid": _int(row[2]),
            "members": members[tuple(row)],
            "primary_of": primary[row[2]],
            "everybody": sorted({*members[tuple(row)], *primary[row[2]]}),
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
        **_home(host, row[5], row[0]),
    }


def _home(host: Host, path: str, account: str) -> dict[str, Any]:
    try:
        status = host.stat(path)
    except (Absent, ProbeError):
        return {"home": path, "home_exists": False, "home_mode": None, "home_owner": None, "home_own": False}
    owner = host.user_name(status.uid)
    return {
        "home": path,
        "home_exists": status.type == "directory",
        "home_mode": status.octal,
        "home_owner": owner,
        "home_own": owner == account,
    }


def _password(row: list[str], shadow: list[str] | None) -> dict[str, Any]:
    field = shadow[1] if shadow is not None and row[1] == "x" else row[1]
    ages = dict(zip(_AGES, [_age(text) for text in shadow[2:8]] if shadow is not None else [None] * len(_AGES)))
    return {
        "password": _state(field), "hash": _scheme(field), "hash_cost": _cost(field), **ages,
        "shadowed": row[1] == "x" and shadow is not None,
    }  # fmt: skip


def _today(host: Host) -> int:
    text = host.run(["date", "+%s"]).require_ok().stdout.strip()
    if not text.isdigit():
        raise ProbeError(f"'date +%s' printed {text!r}, wanted seconds")
    return int(text) // 86400


def _cost(field: str) -> int | None:
    """Return the cost factor of a hash of yescrypt, as YESCRYPT_COST_FACTOR has it (crypt-yescrypt.c of libxcrypt)."""
    match = re.match(r"!*\$g?y\$j([./0-9A-Za-z])([./0-9A-Za-z])", field)
    if match is None:
        return None
    power = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".index(match.group(1)) + 1
    return power - (9 if match.group(2) == "5" else 7)


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
