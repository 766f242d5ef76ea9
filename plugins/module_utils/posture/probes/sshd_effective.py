# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What sshd would decide for a connection, with the options that the running daemon was started with, and whether
that daemon has read the files as they stand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.posture.subject import require_subject
from ansible_collections.rampart.fleet.plugins.module_utils.sshd.config import Directive, directives
from ansible_collections.rampart.fleet.plugins.module_utils.sshd.effective import (
    context_argument,
    match_contexts,
    parse,
)

_MAIN = "/etc/ssh/sshd_config"
_ACCOUNTS = 16
# What a Match block may loosen, and what it is judged by.
_KEYWORDS = (
    "permitrootlogin", "passwordauthentication", "kbdinteractiveauthentication", "permitemptypasswords",
    "hostbasedauthentication", "pubkeyauthentication", "maxauthtries", "allowtcpforwarding", "allowagentforwarding",
    "x11forwarding", "permittunnel", "gatewayports", "allowstreamlocalforwarding", "maxsessions",
    "permituserenvironment",
    "forcecommand", "authorizedkeyscommand", "authorizedkeysfile", "banner", "loglevel",
)  # fmt: skip


@probe("sshd_effective", optional=("ctx",), source="sshd -T -C {ctx}")
def sshd_effective(host: Host, params: Params) -> dict[str, Any]:
    """Return `sshd -T` for a connection `ctx: {user, host, addr, laddr, lport}`, keywords in lower case.

    Repeated keywords and comma lists are lists, decimal numbers int. Without `ctx`: what holds outside of every
    Match block. Absent when sshd is not installed.
    """
    return effective(host, params.get("ctx"))


@probe("sshd_contexts", source="sshd -T -C for accounts and Match blocks")
def sshd_contexts(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return the security keywords for root, for each account that can log in, and for a context that meets each
    Match block.

    An element has `context` (the argument of -C) and the keywords. A context for a Match block is made of the first
    literal of each criterion, so a block on a negated or a nested pattern may be missed; accounts are at most 16.
    """
    _require(host)
    contexts = [{"user": name} for name in ["root", *_accounts(host)]]
    for context in match_contexts(_directives(host), _members(host)):
        if context not in contexts:
            contexts.append(context)
    result = []
    for context in contexts:
        found = effective(host, context)
        result.append({"context": context_argument(context), **{key: found[key] for key in _KEYWORDS if key in found}})
    return result


@probe("sshd_daemon", source="/run/sshd.pid, /proc/PID/cmdline and the times of the configuration files")
def sshd_daemon(host: Host, params: Params) -> dict[str, Any]:
    """Return `{running, per_connection, pid, options, current, newer: [path]}` of the listening sshd.

    sshd writes its pid file when it has read its configuration, also on reload; files changed since, and folders of
    drop-ins in which one was added or removed, are `newer` and `current` is false. Without a daemon (systemd starts one
    for each connection) every connection reads the files: `per_connection`.
    """
    _require(host)
    pid = _pid(host)
    if pid is None:
        return {"running": False, "per_connection": True, "pid": None, "options": [], "current": True, "newer": []}
    loaded = host.stat("/run/sshd.pid").mtime
    files = {_MAIN, *(directive.file for directive in _directives(host))}
    # A file that is gone leaves its trace in the time of its folder only.
    folders = {path.rpartition("/")[0] for path in files if path != _MAIN}
    newer = [path for path in sorted(files | folders) if host.stat(path).mtime > loaded + 1]
    options = _options(host, pid)
    return {
        "running": True,
        "per_connection": False,
        "pid": pid,
        "options": options,
        "current": not newer,
        "newer": newer,
    }


def effective(host: Host, ctx: Any) -> dict[str, Any]:
    """Return the parsed answer of `sshd -T` for a context; ProbeError with sshd's own words when it gives none."""
    _require(host)
    pid = _pid(host)
    argv = ["sshd", "-T", *(_options(host, pid) if pid is not None else [])]
    if ctx:
        argv += ["-C", context_argument(ctx)]
    answer = parse(host.run(argv).require_ok().stdout)
    if "permitrootlogin" not in answer:
        raise ProbeError(f"'{' '.join(argv)}' printed no settings: PermitRootLogin is not among {sorted(answer)[:5]}")
    return answer


def _require(host: Host) -> None:
    require_subject(host, "sshd", "openssh-server", "sshd is not installed")


def _pid(host: Host) -> int | None:
    try:
        text = host.read_text("/run/sshd.pid").strip()
    except Absent:
        return None
    if not text.isdigit():
        raise ProbeError(f"/run/sshd.pid holds {text!r}; wanted a process id")
    return int(text) if host.exists(f"/proc/{text}") else None


def _options(host: Host, pid: int) -> list[str]:
    """Return the options of the daemon that decide on settings: -o, -f, -p, -4, -6 and their like, not -D."""
    text = host.read_text(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
    found = re.match(r"sshd: (?P<argv>.*?) \[listener\]", text)
    try:
        argv = shlex.split(found.group("argv") if found else text)[1:]
    except ValueError:
        raise ProbeError(f"the command line of sshd ({pid}) cannot be read: {text!r}") from None
    return setting_options(argv)


def setting_options(argv: Sequence[str]) -> list[str]:
    """Return the options of a command line of sshd that decide on settings, with their values."""
    options: list[str] = []
    position = 0
    while position < len(argv):
        word = argv[position]
        if word[:2] in ("-o", "-f", "-p", "-h", "-c", "-g") and word[:1] == "-":
            taken = 1 if len(word) > 2 else 2
            options += argv[position : position + taken]
            position += taken
            continue
        position += 1
    return options


def _directives(host: Host) -> list[Directive]:
    return list(directives(_MAIN, host.read_text, host.glob))


def _accounts(host: Host) -> list[str]:
    names = []
    for line in host.read_text("/etc/passwd").splitlines():
        fields = line.split(":")
        if len(fields) == 7 and fields[2].isdigit() and 1000 <= int(fields[2]) < 65534 and not _no_login(fields[6]):
            names.append(fields[0])
    return names[:_ACCOUNTS]


def _no_login(shell: str) -> bool:
    return shell.rsplit("/", 1)[-1] in ("nologin", "false")


def _members(host: Host) -> dict[str, list[str]]:
    primary: dict[str, list[str]] = {}
    for line in host.read_text("/etc/passwd").splitlines():
        fields = line.split(":")
        if len(fields) == 7:
            primary.setdefault(fields[3], []).append(fields[0])
    result = {}
    for line in host.read_text("/etc/group").splitlines():
        fields = line.split(":")
        if len(fields) == 4:
            result[fields[0]] = [name for name in fields[3].split(",") if name] + primary.get(fields[2], [])
    return result
