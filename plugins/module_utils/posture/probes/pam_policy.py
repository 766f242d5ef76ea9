# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What PAM demands of a new password and does after wrong ones: a module's place in the stack and its settings."""

from __future__ import annotations

import posixpath
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.login_defs import login_defs
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.pam_stack import arguments, pam_stack
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

# What the modules do when nobody says otherwise: pwquality.conf(5), faillock.conf(5).
_QUALITY = {"minlen": 8, "minclass": 0, "dcredit": 0, "ucredit": 0, "lcredit": 0, "ocredit": 0, "maxrepeat": 0}
_QUALITY_MORE = {
    "maxsequence": 0,
    "dictcheck": 1,
    "usercheck": 1,
    "enforcing": 1,
    "enforce_for_root": False,
    "difok": 1,
}
_SCHEMES = ("yescrypt", "gost_yescrypt", "sha512", "sha256", "blowfish", "md5", "bigcrypt")
_LOCKOUT: dict[str, Any] = {
    "deny": 3,
    "fail_interval": 900,
    "unlock_time": 600,
    "even_deny_root": False,
    "audit": False,
}


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
    # faillock.conf(5): a time for root alone says that root is locked too.
    settings["even_deny_root"] = settings["even_deny_root"] is True or "root_unlock_time" in settings
    settings.setdefault("root_unlock_time", settings["unlock_time"])
    settings["counts"] = "authfail" in words
    settings["refuses"] = "preauth" in words
    settings["resets"] = "authsucc" in words or _in_account_stack(host, service)
    return settings


@probe("pam_gate", required=("service",), source="PAM auth stack of {service}, /etc/group")
def pam_gate(host: Host, params: Params) -> dict[str, Any]:
    """Return {group, members: [], first: bool} of the group that pam_wheel demands of callers of a service.

    `first` says that it is asked, and must agree, before any module but pam_rootok. Absent when the stack does not run
    pam_wheel, or runs it to let members in without a password (`trust`).
    """
    service = str(params["service"])
    stack = pam_stack(host, {"service": service, "type": "auth"})
    gates = [
        number
        for number, entry in enumerate(stack)
        if entry["module"] == "pam_wheel.so" and "trust" not in entry["args"]
    ]
    if not gates:
        raise Absent(f"the auth stack of {service} asks for no group")
    gate, before = stack[gates[0]], stack[: gates[0]]
    told = arguments([gate])
    name = told.get("group", "root")
    rows = [line.split(":") for line in host.read_text("/etc/group").splitlines()]
    members = [row[3] for row in rows if len(row) == 4 and row[0] == name]
    return {
        "group": name,
        "members": sorted(member for text in members for member in text.split(",") if member),
        "first": {entry["module"] for entry in before} <= {"pam_rootok.so"}
        and gate["control"] in ("required", "requisite")
        and "deny" not in told
        and "use_uid" in told,
    }


@probe("password_history", source="PAM password stack of {service}, pwhistory.conf", optional=("service",))
def password_history(host: Host, params: Params) -> dict[str, Any]:
    """Return the effective settings of pam_pwhistory by name; absent when the stack does not run it.

    {remember, retry, enforce_for_root, use_authtok, before_unix: it runs before the password is stored}. `service` is
    passwd unless given. A line of the stack beats pwhistory.conf, which PAM 1.5.3 brought.
    """
    where = {"service": params.get("service", "passwd"), "type": "password"}
    stack = pam_stack(host, where)
    own = [entry for entry in stack if entry["module"] == "pam_pwhistory.so"]
    if not own:
        raise Absent(f"the password stack of {where['service']} does not run pam_pwhistory.so")
    settings: dict[str, Any] = {"remember": 10, "retry": 1, "enforce_for_root": False, "use_authtok": False}
    settings.update(_file(host, str(arguments(own).get("conf", "/etc/security/pwhistory.conf"))))
    settings.update(_values(arguments(own)))
    order = [entry["module"] for entry in stack]
    settings["before_unix"] = "pam_unix.so" in order[order.index("pam_pwhistory.so") :]
    return settings


@probe("password_hashing", source="PAM password stack of {service}, login.defs", optional=("service",))
def password_hashing(host: Host, params: Params) -> dict[str, Any]:
    """Return {pam, login_defs: scheme in lower case, cost: of yescrypt, agree: both name the same scheme}.

    pam_unix takes the cost from its `rounds`, then from YESCRYPT_COST_FACTOR of login.defs, then 5. `service` is passwd
    unless given; absent when its password stack does not run pam_unix.
    """
    service = params.get("service", "passwd")
    told = arguments(pam_stack(host, {"service": service, "type": "password", "module": "pam_unix.so"}))
    defs = login_defs(host, {})
    named = [name for name in _SCHEMES if name in told]
    in_defs = str(defs.get("ENCRYPT_METHOD", "des")).lower()
    # Without a word of its own pam_unix takes what login.defs says.
    in_pam = named[0] if named else in_defs
    cost = _value(str(told.get("rounds", defs.get("YESCRYPT_COST_FACTOR", 5))))
    return {"pam": in_pam, "login_defs": in_defs, "cost": cost, "agree": in_pam == in_defs}


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
