# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What sudo allows and insists on, as sudo itself reads its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.posture.subject import require_subject

# Programs that start a shell or any other program, or write any file, when they are asked to (gtfobins.github.io).
_SHELL_WORDS = """
ash bash csh dash fish ksh sh su sudo tcsh zsh awk gawk mawk nawk busybox chroot cp crontab dd docker ed emacs env ex
find ftp gdb git install ip less ln lua man more mount mv nano nerdctl nice nmap node nsenter perl pico podman python
python2 python3 rsync ruby script sed setarch socat ssh strace systemctl systemd-run tar taskset tee time timeout tmux
screen unshare vi view vim vimdiff visudo watch xargs zip journalctl apt apt-get dpkg pip pip3 kubectl ctr crictl
"""
_SHELLS = frozenset(_SHELL_WORDS.split())
_TAGS = ("authenticate", "noexec", "setenv")


@probe("sudoers", source="cvtsudoers -f json /etc/sudoers")
def sudoers(host: Host, params: Params) -> dict[str, Any]:
    """Return {defaults: {option: true, false or text}, bound: {...}, rules: [...], nopasswd: [user]}.

    `defaults` are those for everybody, later ones win; those bound to a user, host or command stand in `bound`, by
    what they are bound to. A rule is {users: [..], hosts: [..], commands: [..], authenticate: bool or null}.
    `nopasswd` names who runs something without a password, `everything` who runs ALL, `unasked` what a default without
    a password is bound to. Absent when sudo is not installed.
    """
    require_subject(host, "cvtsudoers", "sudo", "sudo is not installed")
    answer = host.run(["cvtsudoers", "-f", "json", "/etc/sudoers"])
    try:
        document = json.loads(answer.require_ok().stdout)
    except ValueError as error:
        raise ProbeError(f"cvtsudoers printed no JSON: {error}") from error
    rules = [rule for spec in document.get("User_Specs", []) for rule in _rules(spec)]
    nopasswd = {user for rule in rules if rule["authenticate"] is False for user in rule["users"]}
    defaults = _defaults(document.get("Defaults", []))
    return {
        **defaults, "rules": rules, "nopasswd": sorted(nopasswd),
        "everything": sorted({user for rule in rules if "ALL" in rule["commands"] for user in rule["users"]}),
        "unasked": sorted(to for to, options in defaults["bound"].items() if options.get("authenticate") is False),
    }  # fmt: skip


@probe("sudo_commands", source="cvtsudoers -f json /etc/sudoers; stat of the commands")
def sudo_commands(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return the commands that rules name one by one, ALL left out: [{name: the command with its arguments, users: [],
    program, exists, owner, mode, folder_owner, folder_mode, wildcard, negated, shell}].

    `wildcard` says that a pattern stands in it, `negated` that the rule takes it away, `shell` that the program gives a
    shell or runs other programs when asked. A folder stands for all programs in it. Absent when sudo is not installed.
    """
    found: dict[str, dict[str, Any]] = {}
    for rule in sudoers(host, {})["rules"]:
        for command in rule["commands"]:
            if command.lstrip("!") != "ALL":
                entry = found.setdefault(command, {**_command(host, command), "users": []})
                entry["users"] = sorted({*entry["users"], *rule["users"]})
    return [found[name] for name in sorted(found)]


@probe("sudoers_files", source="visudo -c; stat of what it names")
def sudoers_files(host: Host, params: Params) -> dict[str, Any]:
    """Return {valid, problems: [line], files: [{path, owner, group, mode}]} of every file that sudo reads.

    Absent when sudo is not installed.
    """
    require_subject(host, "visudo", "sudo", "sudo is not installed")
    answer = host.run(["visudo", "-c"])
    lines = (answer.stdout + "\n" + answer.stderr).splitlines()
    good = [line.rpartition(": parsed OK")[0] for line in lines if line.endswith(": parsed OK")]
    problems = [line for line in lines if line.strip() and not line.endswith(": parsed OK")]
    if answer.rc != 0 and not any("/etc/sudoers" in line for line in lines):
        raise ProbeError(f"visudo -c ended with {answer.rc} and named no file: {answer.stderr.strip()[:200]}")
    if answer.rc == 0 and not good:
        raise ProbeError("visudo -c named no file that it has read")
    # visudo tells of modes that sudo itself does not mind; what it says then is no doubt about the grammar.
    return {
        "valid": answer.rc == 0,
        "problems": problems,
        "files": [_file(host, path) for path in _read_by_sudo(host, good)],
    }


def _read_by_sudo(host: Host, good: list[str]) -> list[str]:
    """Return the files that were parsed and those beside them, which an error may have kept visudo from."""
    beside = [path for path in host.glob("/etc/sudoers.d/*") if "." not in path.rpartition("/")[2] and path[-1] != "~"]
    return sorted({"/etc/sudoers", *good, *beside})


def _file(host: Host, path: str) -> dict[str, Any]:
    status = host.stat(path)
    owner, group = host.user_name(status.uid) or str(status.uid), host.group_name(status.gid) or str(status.gid)
    return {"path": path, "owner": owner, "group": group, "mode": status.octal}


def _command(host: Host, command: str) -> dict[str, Any]:
    bare = command.lstrip("!")
    program = bare.split()[0] if bare.split() else bare
    entry: dict[str, Any] = {
        "name": command, "program": program, "negated": command.startswith("!"),
        "wildcard": any(sign in bare for sign in "*?[") or bare.startswith("^"),
        "shell": program.rpartition("/")[2] in _SHELLS,
    }  # fmt: skip
    return {
        **entry,
        **_place(host, program),
        **{f"folder_{k}": v for k, v in _place(host, program.rpartition("/")[0] or "/").items()},
    }


def _place(host: Host, path: str) -> dict[str, Any]:
    try:
        status = host.stat(path)
    except Absent:
        return {"exists": False, "owner": "root", "mode": "0000"}
    return {"exists": True, "owner": host.user_name(status.uid) or str(status.uid), "mode": status.octal}


def _defaults(entries: list[Mapping[str, Any]]) -> dict[str, Any]:
    everybody: dict[str, Any] = {}
    bound: dict[str, dict[str, Any]] = {}
    for entry in entries:
        options = {name: value for option in entry.get("Options", []) for name, value in _option(option).items()}
        binding = entry.get("Binding")
        if binding:
            bound.setdefault(", ".join(_names(binding)), {}).update(options)
        else:
            everybody.update(options)
    return {"defaults": everybody, "bound": bound}


def _option(option: Mapping[str, Any]) -> dict[str, Any]:
    if "operation" in option:
        return {str(name): value for name, value in option.items() if name != "operation"}
    return dict(option)


def _rules(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    rules = []
    for command_spec in spec.get("Cmnd_Specs", []):
        options = {name: value for option in command_spec.get("Options", []) for name, value in option.items()}
        rule: dict[str, Any] = {
            "users": _names(spec.get("User_List", [])),
            "hosts": _names(spec.get("Host_List", [])),
            "commands": _names(command_spec.get("Commands", [])),
        }
        rule.update({tag: options.get(tag) for tag in _TAGS})
        rules.append(rule)
    return rules


def _names(entries: list[Mapping[str, Any]]) -> list[str]:
    """Return entries such as {"usergroup": "sudo"} or {"command": "ALL", "negated": true} as sudoers(5) writes them."""
    marks = {"usergroup": "%", "netgroup": "+", "userid": "#", "usergid": "%#"}
    names = []
    for entry in entries:
        negated = "!" if entry.get("negated") else ""
        names += [
            f"{negated}{marks.get(kind, '')}{value}"
            for kind, value in entry.items()
            if isinstance(value, (str, int)) and kind not in ("negated", "sha224", "sha256", "sha384", "sha512")
        ]
    return names
