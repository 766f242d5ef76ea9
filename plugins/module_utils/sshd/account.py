# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What decides whether an account can come back over SSH: its groups, its authorized keys, its way to root."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

from ansible_collections.rampart.fleet.plugins.module_utils.sshd.effective import key_files
from ansible_collections.rampart.fleet.plugins.module_utils.sshd.lockout import Account

Run = Callable[[Sequence[str]], tuple[int, str, str]]


def account_of(name: str, effective: Mapping[str, Any], run: Run) -> Account:
    """Return the account as this host has it; `run` runs a command and returns its status, stdout and stderr.

    An account that the host does not know has no groups, no key and no way to root.
    """
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return Account(name, (), False, False)
    groups = tuple(_group(number) for number in os.getgrouplist(name, entry.pw_gid))
    files = key_files(effective.get("authorizedkeysfile", []), name, entry.pw_dir)
    return Account(name, groups, any(_has_key(path) for path in files), _can_sudo(name, run))


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _has_key(path: str) -> bool:
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())


def _can_sudo(name: str, run: Run) -> bool:
    if os.environ.get("SUDO_USER") == name:
        return True
    rc, out, _err = run(["sudo", "-n", "-l", "-U", name])
    return rc == 0 and "may run the following commands" in out
