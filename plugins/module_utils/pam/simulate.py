# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What a PAM stack decides when its modules say yes or no: libpam's own rules (pam.conf(5)), played through.

Pure. So a stack is judged by who gets in and not by how its lines look: a jump that is one too long, a `sufficient`
before the password, and a missing pam_deny all show as a wrong decision.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Entry = Mapping[str, Any]

YES, NO, IGNORE = "success", "auth_err", "ignore"

# What the one-word controls stand for.
_WORDS = {
    "required": {"success": "ok", "new_authtok_reqd": "ok", "ignore": "ignore", "default": "bad"},
    "requisite": {"success": "ok", "new_authtok_reqd": "ok", "ignore": "ignore", "default": "die"},
    "sufficient": {"success": "done", "new_authtok_reqd": "done", "default": "ignore"},
    "optional": {"success": "ok", "new_authtok_reqd": "ok", "default": "ignore"},
}

# Modules whose auth part does not say who somebody is: they return PAM_IGNORE, or success to everybody.
_NEUTRAL = (
    "pam_env.so",
    "pam_faildelay.so",
    "pam_group.so",
    "pam_nologin.so",
    "pam_cap.so",
    "pam_mail.so",
    "pam_tmpdir.so",
)
# Modules that know a secret, or that nobody passes but root or an account that was named.
_SECRET = re.compile(
    r"pam_(unix\d*|sss|krb5|ldap|winbind|google_authenticator|oath|u2f|yubico|radius|tacplus|userdb|ssh_agent_auth"
    r"|systemd_home|himmelblau|aad|duo|p11|pkcs11|fprintd|rootok|wheel|deny)\.so"
)


class UnknownControl(ValueError):
    """A line has a control that libpam does not know either; the message names it."""


def wrong_secret(entry: Entry) -> str:
    """Return what a module of an auth stack says to a stranger with a wrong password: whatever knows no secret says
    yes, which is the worst that can happen."""
    if _SECRET.fullmatch(entry["module"]) and "trust" not in entry["args"]:
        return NO
    if entry["module"] == "pam_faillock.so":
        return NO if {"authfail", "authsucc"} & set(entry["args"]) else IGNORE
    return IGNORE if entry["module"] in _NEUTRAL else YES


def right_secret(entry: Entry) -> str:
    """Return what a module says to somebody with the right password, who is neither root nor locked."""
    if entry["module"] == "pam_faillock.so":
        return NO if "authfail" in entry["args"] else YES
    return NO if entry["module"] in ("pam_deny.so", "pam_rootok.so") else YES


def locked(entry: Entry) -> str:
    """Return what a module says when the password is right and pam_faillock has locked the account."""
    if entry["module"] == "pam_faillock.so" and {"authsucc", "authfail"}.isdisjoint(entry["args"]):
        return NO
    return right_secret(entry)


def decide(stack: Sequence[Entry], answers: Any) -> bool:
    """Say whether a stack lets in; `answers` is one of the functions above. Raises UnknownControl."""
    impression, position = "", 0
    while position < len(stack):
        entry = stack[position]
        position += 1
        answer = answers(entry)
        action = _action(str(entry["control"]), answer)
        if action.isdigit():
            position += int(action)
            # libpam takes a jump over the end for an error of grammar.
            impression = "no" if position > len(stack) else impression
        elif action in ("ok", "done"):
            # An `ok` does not heal what failed before, and a module that ignores says nothing.
            impression = impression or ("yes" if answer != IGNORE else "")
            if action == "done" and impression == "yes":
                break
        elif action in ("bad", "die"):
            impression = "no"
            if action == "die":
                break
        elif action == "reset":
            impression = ""
    return impression == "yes"


def _action(control: str, answer: str) -> str:
    table = _WORDS.get(control)
    if table is None:
        if not control.startswith("["):
            raise UnknownControl(
                f"'{control}' is no control of PAM, wanted one of {', '.join(_WORDS)} or [value=action]"
            )
        pairs = (word.partition("=") for word in control.strip("[]").split())
        table = {name: action for name, _sign, action in pairs}
    action = table.get(answer, table.get("default", "bad"))
    if not action.isdigit() and action not in ("ok", "done", "bad", "die", "ignore", "reset"):
        raise UnknownControl(f"'{action}' is no action of PAM, in {control}")
    return action
