# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What PAM demands of a new password and does after wrong ones: a module's place in the stack and its settings."""

from __future__ import annotations

import posixpath
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.pam_stack import arguments, pam_stack
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

# What the modules do when nobody says otherwise: pwquality.conf(5), faillock.conf(5).
_QUALITY = {"minlen": 8, "minclass": 0, "dcredit": 0, "ucredit": 0, "lcredit": 0, "ocredit": 0, "maxrepeat": 0}
_QUALITY_MORE = {"maxsequence": 0, "dictcheck": 1, "usercheck": 1, "enforcing": 1, "enforce_for_root": False}
_LOCKOUT = {"deny": 3, "fail_interval": 900, "unlock_time": 600, "even_deny_root": False, "audit": False}


@probe("password_quality", source="PAM password stack of {service}, pwquality.conf.d", optional=("service",))
def password_quality(host: Host, params: Params) -> dict[str, Any]:
    """Return the effective settings of pam_pwquality by name, defaults included; absent when the stack does not run it.

    `service` is passwd unless given. A line of the stack beats pwquality.conf, which beats pwquality.conf.d.
    """
    service = params.get("service", "passwd")
    stack = pam_stack(host, {"service": service, "type": "password", "module": "pam_pwquality.so"})
    settings: dict[str, Any] = {**_QUALITY, **_QUALITY_MORE}
    for path in (*host.glob("/etc/security/pwquality.conf.d/*.conf"), "/etc/security/pwquality.conf"):
        settings.update(_file(host, path))
    settings.update(_values(arguments(stack)))
    return settings


@probe("account_lockout", source="PAM stacks of {service}, faillock.conf", optional=("service",))
def account_lockout(host: Host, params: Params) -> dict[str, Any]:
    """Return the effective settings of pam_faillock by name, with `counts`, `refuses` and `resets`: bool.

    These say whether the stack counts a wrong password (authfail), refuses a locked account before it asks (preauth),
    and forgets after a right one (authsucc, or the account stack). Absent when the auth stack does not run it.
    `service` is login unless given.
    """
    service = params.get("service", "login")
    stack = pam_stack(host, {"service": service, "type": "auth", "module": "pam_faillock.so"})
    words = {argument for entry in stack for argument in entry["args"]}
    settings: dict[str, Any] = dict(_LOCKOUT)
    settings.update(_file(host, str(arguments(stack).get("conf", "/etc/security/faillock.conf"))))
    settings.update(_values(arguments(stack)))
    settings["counts"] = "authfail" in words
    settings["refuses"] = "preauth" in words
    settings["resets"] = "authsucc" in words or _in_account_stack(host, service)
    return settings


def _in_account_stack(host: Host, service: str) -> bool:
    try:
        pam_stack(host, {"service": service, "type": "account", "module": "pam_faillock.so"})
    except Absent:
        return False
    return True


def _file(host: Host, path: str) -> dict[str, Any]:
    try:
        text = host.read_text(posixpath.normpath(path))
    except Absent:
        return {}
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line)
    return _values({name.strip(): value.strip() if sign else "yes" for name, sign, value in pairs})


def _values(texts: dict[str, str]) -> dict[str, Any]:
    return {name: _value(text) for name, text in texts.items()}


def _value(text: str) -> Any:
    if text == "yes":
        return True
    return int(text) if text.lstrip("-").isdigit() else text
