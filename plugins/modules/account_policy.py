#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Module rampart.fleet.account_policy: ages of passwords and logins of services, for all accounts at once."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: account_policy
short_description: Passwords age, services do not log in, keys do not run out
version_added: 0.1.0
author: The Rampart authors (@rampart-fleet)
description:
  - Compares all local accounts with a policy and changes those that differ, by C(chage), C(usermod) and
    C(useradd -D), in one invocation.
  - 'Accounts without a password never run out: PAM refuses a key when the password behind it, which nobody ever
    typed, has run out.'
  - An account whose password would have run out by the change is left alone and reported, and so nobody is locked
    out. The account that runs the module over SSH keeps its shell.
options:
  max_days:
    description: Days after which a password has to be changed.
    type: int
    default: 365
  min_days:
    description: Days for which a new password stays.
    type: int
    default: 1
  warn_days:
    description: Days before the end on which its owner is told.
    type: int
    default: 7
  inactive_days:
    description: Days after the end on which the account ends too. New accounts get the same.
    type: int
    default: 45
  lock_root:
    description: Whether root has no password.
    type: bool
    default: true
  kept:
    description: System accounts that keep their shell and their password.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Says what would change.
    support: full
  diff_mode:
    description: Shows the steps in words.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Passwords age and services do not log in
  rampart.fleet.account_policy:
    max_days: 365
    kept: [slurm]
"""

RETURN = r"""
actions:
  description: What was done, or would be done, in words.
  returned: always
  type: list
  elements: str
left_out:
  description: What is left to a person, and what to do.
  returned: always
  type: list
  elements: str
"""

import os
import re
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rampart.fleet.plugins.module_utils.accounts.plan import Policy, Step, decide, parse
from ansible_collections.rampart.fleet.plugins.module_utils.deadman.operator import operator


def read(path: str) -> str:
    """Return a file's text; empty when it does not exist."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def new_accounts(module: AnsibleModule, inactive: int) -> list[Step]:
    """Return what has to be done to what useradd gives to new accounts."""
    rc, out, err = module.run_command(["useradd", "-D"])
    found = re.search(r"^INACTIVE=(-?[0-9]+)$", out, re.M)
    if rc != 0 or found is None:
        module.fail_json(
            msg=f"'useradd -D' did not say what new accounts get, wanted a line INACTIVE=: {(err or out).strip()}"
        )
    if 0 <= int(found.group(1)) <= inactive:
        return []
    return [Step(("useradd", "-D", "--inactive", str(inactive)), "new accounts end after their password")]


def main() -> None:
    """Compare, change, and report."""
    module = AnsibleModule(
        argument_spec={
            "max_days": {"type": "int", "default": 365},
            "min_days": {"type": "int", "default": 1},
            "warn_days": {"type": "int", "default": 7},
            "inactive_days": {"type": "int", "default": 45},
            "lock_root": {"type": "bool", "default": True},
            "kept": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    given: dict[str, Any] = dict(module.params)
    who = operator(lambda path: Path(path).read_text(encoding="utf-8", errors="replace"), os.getpid())
    kept = (*given.pop("kept"), *([who.user] if who else []))
    uid_min = re.search(r"^\s*UID_MIN\s+([0-9]+)", read("/etc/login.defs"), re.M)
    policy = Policy(**given, kept=kept, uid_min=int(uid_min.group(1)) if uid_min else 1000)
    plan = decide(parse(read("/etc/passwd"), read("/etc/shadow")), policy, int(time.time() // 86400))
    steps = plan.steps + new_accounts(module, policy.inactive_days)
    for step in [] if module.check_mode else steps:
        rc, out, err = module.run_command(list(step.argv))
        if rc != 0:
            module.fail_json(msg=f"'{' '.join(step.argv)}' ended with status {rc}, wanted 0: {(err or out).strip()}")
    said = [step.says for step in steps]
    after = "".join(f"{line}\n" for line in said)
    module.exit_json(changed=bool(steps), actions=said, left_out=plan.left_out, diff={"before": "", "after": after})


if __name__ == "__main__":
    main()
