# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What somebody finds who logs in: mask, idle time and search path of a real login shell, and the shells there are."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_USERS = ("root", "nobody")
# Each answer has a name, since files that the shell reads may print what they like.
# A subshell tries to take the time-out away.
_SCRIPT = """
printf 'rampart:umask:%s\\n' "$(umask)"
printf 'rampart:timeout:%s\\n' "${TMOUT-}"
(unset TMOUT) 2>/dev/null && printf 'rampart:fixed:no\\n' || printf 'rampart:fixed:yes\\n'
printf 'rampart:path:%s\\n' "$PATH"
printf 'rampart:preload:%s\\n' "${LD_PRELOAD-}"
printf 'rampart:library_path:%s\\n' "${LD_LIBRARY_PATH-}"
"""
_WANTED = ("umask", "timeout", "fixed", "path", "preload", "library_path")


@probe("login_session", optional=("user",), source="login shell of {user} (su --login)")
def login_session(host: Host, params: Params) -> dict[str, Any]:
    """Return {umask: "0027", timeout: seconds or null, timeout_fixed: bool, path, preload, library_path: text}.

    A login shell (bash) is started through PAM and asked. `user` is root unless given, or nobody, who stands for
    people: files in the homes of others are not run. `timeout_fixed` says that the shell refuses to forget TMOUT.
    """
    said = _session(host, str(params.get("user", "root")))
    timeout = said["timeout"].strip()
    try:
        mask = f"{int(said['umask'], 8):04o}"
    except ValueError as error:
        raise ProbeError(f"a login shell said that its umask is {said['umask']!r}, wanted octal digits") from error
    return {
        "umask": mask,
        "timeout": int(timeout) if timeout.isdigit() else None,
        "timeout_fixed": said["fixed"] == "yes",
        **{name: said[name] for name in ("path", "preload", "library_path")},
    }


@probe("search_path", optional=("user",), source="PATH of a login shell of {user}")
def search_path(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return the folders of a login shell's PATH: [{path, absolute, exists, type, owner, mode}], links followed.

    An empty entry, which stands for the current folder, has the path ''. `user` is root unless given, or nobody.
    """
    folders = _session(host, str(params.get("user", "root")))["path"].split(":")
    return [_folder(host, path) for path in dict.fromkeys(folders)]


@probe("shells", source="/etc/shells")
def shells(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return the login shells that the host knows: [{path, exists, owner, mode}]."""
    lines = (line.partition("#")[0].strip() for line in host.read_text("/etc/shells").splitlines())
    return [_folder(host, path) for path in dict.fromkeys(line for line in lines if line)]


def _folder(host: Host, path: str) -> dict[str, Any]:
    about = {"path": path, "absolute": path.startswith("/")}
    try:
        # What is not absolute depends on where somebody stands.
        status = host.stat(path) if path.startswith("/") else None
    except Absent:
        status = None
    if status is None:
        return {**about, "exists": False, "type": "none", "owner": "root", "mode": "0000"}
    owner = host.user_name(status.uid) or str(status.uid)
    return {**about, "exists": True, "type": status.type, "owner": owner, "mode": status.octal}


def _session(host: Host, user: str) -> dict[str, str]:
    if user not in _USERS:
        raise ProbeError(f"user is '{user}', wanted one of {', '.join(_USERS)}: files of others are not run")
    argv = ["su", "--login", "--shell", "/bin/bash", user, "--command", _SCRIPT]
    answer = host.run(argv).require_ok().stdout
    words = [line.split(":", 2) for line in answer.splitlines() if line.startswith("rampart:")]
    said = {word[1]: word[2] for word in words if len(word) == 3}
    missing = [name for name in _WANTED if name not in said]
    if missing:
        raise ProbeError(
            f"a login shell of {user} did not answer {', '.join(missing)}; it said {answer.strip()[-200:]!r}"
        )
    return said
