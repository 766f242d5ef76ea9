# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What sudo allows and insists on, as sudo itself reads its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError, ToolMissing
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_TAGS = ("authenticate", "noexec", "setenv")


@probe("sudoers", source="cvtsudoers -f json /etc/sudoers")
def sudoers(host: Host, params: Params) -> dict[str, Any]:
    """Return {defaults: {option: true, false or text}, bound: {...}, rules: [...], nopasswd: [user]}.

    `defaults` are those for everybody, later ones win; those bound to a user, host or command stand in `bound`, by
    what they are bound to. A rule is {users: [..], hosts: [..], commands: [..], authenticate: bool or null}.
    `nopasswd` names who runs something without a password. Absent when sudo is not installed.
    """
    try:
        answer = host.run(["cvtsudoers", "-f", "json", "/etc/sudoers"])
    except ToolMissing:
        raise Absent("sudo is not installed") from None
    try:
        document = json.loads(answer.require_ok().stdout)
    except ValueError as error:
        raise ProbeError(f"cvtsudoers printed no JSON: {error}") from error
    rules = [rule for spec in document.get("User_Specs", []) for rule in _rules(spec)]
    nopasswd = {user for rule in rules if rule["authenticate"] is False for user in rule["users"]}
    return {**_defaults(document.get("Defaults", [])), "rules": rules, "nopasswd": sorted(nopasswd)}


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
