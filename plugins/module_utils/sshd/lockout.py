# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a new sshd configuration would keep out the account that the run is connected as, as far as can be told."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Account:
    """The account of the connection: its groups, whether it has an authorized key, and whether it can become root."""

    name: str
    groups: tuple[str, ...]
    has_key: bool
    can_sudo: bool


def reasons(effective: Mapping[str, Any], account: Account) -> list[str]:
    """Return why the account could not come back under the settings of its own connection; empty when it can."""
    found = []
    login = str(effective.get("permitrootlogin", "yes"))
    if account.name == "root" and login in ("no", "forced-commands-only"):
        found.append(
            f"the run is connected as root and PermitRootLogin would be {login}: connect as an ordinary account "
            "that has an authorized key and sudo (ansible_user, ansible_become)"
        )
    by_password = str(effective.get("passwordauthentication")) == "yes" and not (
        account.name == "root" and login in ("prohibit-password", "without-password")
    )
    if not by_password and not account.has_key and effective.get("authorizedkeyscommand", "none") == "none":
        found.append(
            f"account {account.name} has no authorized key, and passwords would no longer be accepted: "
            "put a public key into its authorized_keys first"
        )
    if account.name != "root" and not account.can_sudo:
        found.append(
            f"account {account.name} cannot become root by sudo, and root could not log in: "
            "give it sudo first, or nobody could administer the host"
        )
    return found + _lists(effective, account)


def _lists(effective: Mapping[str, Any], account: Account) -> list[str]:
    found = []
    users, groups = effective.get("allowusers", []), effective.get("allowgroups", [])
    for keyword, names in (("denyusers", (account.name,)), ("denygroups", account.groups)):
        if _any(effective.get(keyword, []), names):
            shown = {"denyusers": "DenyUsers", "denygroups": "DenyGroups"}[keyword]
            found.append(f"{shown} would be {_joined(effective[keyword])}, which account {account.name} is in")
    if users and not _any(users, (account.name,)):
        found.append(f"AllowUsers would be {_joined(users)}, which account {account.name} is not in")
    if groups and not _any(groups, account.groups):
        found.append(
            f"AllowGroups would be {_joined(groups)}, and account {account.name} is only in {', '.join(account.groups)}"
            ": add the account to one of these groups first"
        )
    return found


def _any(patterns: list[Any], names: tuple[str, ...]) -> bool:
    words = [word for pattern in patterns for word in str(pattern).split()]
    return any(fnmatch.fnmatchcase(name, word.partition("@")[0]) for word in words for name in names)


def _joined(values: list[Any]) -> str:
    return " ".join(str(value) for value in values)
