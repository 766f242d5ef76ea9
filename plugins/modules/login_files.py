#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Module rampart.fleet.login_files: files that decide who gets in, tried first and taken back by themselves."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: login_files
short_description: Change PAM, sudo and su without locking the operator out
version_added: 0.1.0
author: The Rampart authors (@rampart-fleet)
description:
  - Writes whole files of root that decide who gets in, all of them or none, and lets C(pam-auth-update) build the
    stacks of PAM.
  - 'Everything is tried on a copy first: C(pam-auth-update) runs there, the stacks that come out are played through
    (a right password must get in, a wrong one and a locked account must not), their modules must exist, and libpam
    itself is asked whether the operator may still log in.'
  - 'Then a rollback is armed before anything changes, and the operator''s sudo is tried afterwards: when it worked
    before and fails now, everything is as it was. What M(rampart.fleet.deadman) does not confirm is taken back.'
options:
  files:
    description: The files, each whole.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path. A file in C(/usr/share/pam-configs) is a profile of C(pam-auth-update).
        type: str
        required: true
      content:
        description: The whole content. Required with O(files[].state=present).
        type: str
      mode:
        description: Permissions as an octal string; C(0644) when not given.
        type: str
      state:
        description: Whether the file is there.
        type: str
        choices: [present, absent]
        default: present
      validate:
        description: Command without a shell that accepts or refuses the staged file, C(%s) in its arguments.
        type: str
  force:
    description:
      - Whether lines of C(/etc/pam.d/common-*) that were edited by hand give way to the profiles. Without it the
        module fails when such an edit keeps a profile out of the stacks, and says so.
    type: bool
    default: false
  rollback_seconds:
    description: Seconds after which an unconfirmed change is taken back, 5 to 3600; 0 for never.
    type: int
    default: 60
attributes:
  check_mode:
    description: Says what would change, stacks of PAM included. All is tried on the copy.
    support: full
  diff_mode:
    description: Shows each file and each stack before and after.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Wrong passwords lock
  rampart.fleet.login_files:
    files:
      - path: /usr/share/pam-configs/site-faillock
        content: "{{ lookup('ansible.builtin.template', 'usr/share/pam-configs/site-faillock.j2') }}"
      - path: /etc/sudoers.d/site
        content: "Defaults use_pty\n"
        mode: "0440"
        validate: visudo -cqf %s
  register: __login_files
"""

RETURN = r"""
actions:
  description: What was done to files, or would be done, in order.
  returned: always
  type: list
  elements: dict
stacks:
  description: The files in C(/etc/pam.d) that pam-auth-update changed or would change.
  returned: always
  type: list
  elements: str
armed:
  description: Whether a rollback waits for M(rampart.fleet.deadman).
  returned: always
  type: bool
rollback:
  description: The name of the rollback.
  returned: always
  type: str
  sample: login
operator:
  description: The account that the trial was made for, empty when the run did not come over SSH.
  returned: always
  type: str
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rampart.fleet.plugins.module_utils.deadman.operator import operator
from ansible_collections.rampart.fleet.plugins.module_utils.deadman.plan import DeadMan
from ansible_collections.rampart.fleet.plugins.module_utils.deadman.switch import RollbackError, Switch
from ansible_collections.rampart.fleet.plugins.module_utils.file_set.plan import Action, Obstacle, decide, diff_of
from ansible_collections.rampart.fleet.plugins.module_utils.file_set.spec import FileSpec, SpecError, parse
from ansible_collections.rampart.fleet.plugins.module_utils.file_set.transaction import Transaction, look
from ansible_collections.rampart.fleet.plugins.module_utils.pam.login import (
    PROFILES,
    SERVICES,
    STATE,
    LoginError,
    missing_modules,
    snapshot,
    texts,
    undo,
)
from ansible_collections.rampart.fleet.plugins.module_utils.pam.stacks import flat, problems
from ansible_collections.rampart.fleet.plugins.module_utils.pam.trial import TrialError, account

FILE_OPTIONS = {
    "path": {"type": "str", "required": True},
    "content": {"type": "str"},
    "mode": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "validate": {"type": "str"},
}
TRIED = ("sshd", "sudo")


class Login:
    """The way into this host: its stacks of PAM, and the operator who came in by it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        who = operator(lambda path: Path(path).read_text(encoding="utf-8", errors="replace"), os.getpid())
        self.operator = who.user if who is not None else ""

    def run(self, argv: list[str], **environment: str) -> tuple[int, str, str]:
        """Run a command and return its status, stdout and stderr."""
        given = {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive", **environment}
        rc, out, err = self.module.run_command(argv, environ_update=given)
        return rc, out, err

    def build(self, root: str = "") -> None:
        """Let pam-auth-update build the stacks, in a copy when `root` is given. Raises LoginError."""
        argv = ["pam-auth-update", "--package", *self.forced()]
        # The copy has answers of its own, so that a rehearsal is not remembered.
        aside = {"DEBCONF_DB_REPLACE": f"File{{filename:{root}/debconf.dat}}"} if root else {}
        rc, out, err = self.run(argv + (["--root", root] if root else []), **aside)
        if rc != 0:
            raise LoginError(f"'{' '.join(argv)}' ended with status {rc}, wanted 0: {(err or out).strip()}")
        if "Local modifications" in err:
            raise LoginError(
                "/etc/pam.d/common-* were edited by hand in the part that pam-auth-update keeps, so no profile gets "
                "into the stacks; wanted its own lines. Put the edit into a profile of its own and set "
                "accounts_pam_force, or restore it by pam-auth-update --force"
            )

    def forced(self) -> list[str]:
        """Return the arguments that put profiles back which were switched off."""
        if not self.module.params["force"]:
            return []
        files = [file for file in self.module.params["files"] if file["path"].startswith(PROFILES + "/")]
        return ["--force", "--enable", *(Path(file["path"]).name for file in files if file["state"] == "present")]

    def may(self, services: dict[str, str], root: str) -> dict[str, int]:
        """Return libpam's answer about the operator for each service that is tried; empty without an operator."""
        if not self.operator:
            return {}
        answers = {}
        with tempfile.TemporaryDirectory(dir=root) as folder:
            for name in (name for name in TRIED if name in services):
                # Debian's libpam takes what is included from /etc/pam.d whatever the folder, so nothing is included.
                Path(folder, name).write_text(flat(services, name, "account"), encoding="utf-8")
                answers[name] = account(name, self.operator, folder)[0]
        return answers

    def sudo_works(self) -> bool:
        """Say whether the operator becomes root without being asked."""
        return bool(self.operator) and self.run(["runuser", "-u", self.operator, "--", "sudo", "-n", "true"])[0] == 0


def staged(login: Login, actions: list[Action], root: str) -> dict[str, str]:
    """Build the stacks in a copy with the new files and return their texts by service. Raises LoginError."""
    for folder in (SERVICES, STATE, PROFILES):
        Path(root + folder).parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder, root + folder)
    for action in actions:
        place = Path(root + action.spec.path)
        if place.parent.is_dir() and action.verb == "remove":
            place.unlink(missing_ok=True)
        elif place.parent.is_dir() and action.verb in ("create", "replace"):
            place.write_text(action.spec.content, encoding="utf-8")
    login.build(root)
    return texts(root + SERVICES)


def judge(login: Login, wanted: list[FileSpec], now: dict[str, str], then: dict[str, str], root: str) -> None:
    """Raise LoginError unless the stacks of the copy let in whom they let in today, and nobody else."""
    found = problems(then, now)
    found += [f"{module}, which {service} names, does not exist" for module, service in missing_modules(then, now)]
    absent = [
        Path(spec.path).name for spec in wanted
        if spec.path.startswith(PROFILES + "/") and spec.state == "present" and not enabled(root, Path(spec.path).name)
    ]  # fmt: skip
    found += [
        f"the profile {name} does not get into the stacks: it was switched off by pam-auth-update, or the lines were "
        f"edited by hand. Run 'pam-auth-update --enable {name}', or set accounts_pam_force"
        for name in absent
    ]
    before, after = login.may(now, root), login.may(then, root)
    found += [
        f"libpam would refuse '{login.operator}' for {service} (answer {after.get(service)}), whom it lets in today"
        for service, answer in before.items()
        if answer == 0 and after.get(service) != 0
    ]
    if found:
        raise LoginError("nothing was changed, since the new stacks of PAM are not fit to be used: " + "; ".join(found))


def enabled(root: str, profile: str) -> bool:
    """Say whether pam-auth-update has put a profile into a stack of the copy."""
    line = f"Module: {profile}"
    return any(
        line in path.read_text(encoding="utf-8").splitlines() for path in Path(root + STATE).iterdir() if path.is_file()
    )


def validate(login: Login, spec: FileSpec, path: str) -> None:
    """Let the spec's own command judge the staged file. Raises LoginError."""
    command = [word.replace("%s", path) for word in spec.validate.split()]
    if not command or (login.module.check_mode and not login.module.get_bin_path(command[0])):
        return
    rc, out, err = login.run(command)
    if rc != 0:
        raise LoginError(f"nothing was changed, since the new {spec.path} is not valid: {(err or out).strip()}")


def rehearse(login: Login, actions: list[Action], root: str) -> None:
    """Validate copies of the new contents."""
    for action in actions:
        if action.verb in ("create", "replace"):
            copy = Path(root, "candidate")
            copy.touch(mode=0o600)
            copy.write_text(action.spec.content, encoding="utf-8")
            copy.chmod(action.mode)
            validate(login, action.spec, str(copy))
            copy.unlink()


def apply(login: Login, switch: Switch | None, actions: list[Action], then: dict[str, str]) -> None:
    """Arm, change, and try; on any error everything is as it was. Raises LoginError or RollbackError."""
    sudo = login.sudo_works()
    saved = snapshot([action.spec.path for action in actions])
    if switch is not None:
        switch.arm(saved.contents, undo(saved, switch.plan.folder))

    def verify() -> None:
        login.build()
        if texts(SERVICES) != then:
            raise LoginError("pam-auth-update made other stacks than on the copy")
        rc, out, err = login.run(["visudo", "-cq"])
        if rc != 0:
            raise LoginError(f"sudo refuses its files: {(err or out).strip()}")
        if sudo and not login.sudo_works():
            raise LoginError(f"sudo no longer lets '{login.operator}' become root without a password")

    try:
        Transaction(actions, lambda spec, path: validate(login, spec, path)).run(verify)
    except LoginError as error:
        if switch is not None:
            switch.roll_back()
        raise LoginError(f"everything is as it was: {error}") from error


def run(module: AnsibleModule) -> dict[str, Any]:
    """Compare, try on a copy, change, and return the result."""
    login, seconds = Login(module), module.params["rollback_seconds"]
    wanted = parse(module.params["files"], lambda _name: 0, lambda _name: 0)
    decided = (decide(spec, look(spec.path, read=True)) for spec in wanted)
    actions = [action for action in decided if action is not None]
    with tempfile.TemporaryDirectory(prefix="rampart-login-") as root:
        now = texts(SERVICES)
        rehearse(login, actions, root)
        then = staged(login, actions, root)
        judge(login, wanted, now, then, root)
    stacks = sorted(
        name
        for name in then
        if then[name] != now.get(name) and f"{SERVICES}/{name}" not in {a.spec.path for a in actions}
    )
    changed = bool(actions or stacks)
    switch = Switch(DeadMan("login", seconds), lambda argv: login.run(list(argv))) if seconds else None
    if changed and not module.check_mode:
        apply(login, switch, actions, then)
    shown = [
        {
            "before_header": f"{SERVICES}/{name}",
            "after_header": f"{SERVICES}/{name}",
            "before": now.get(name, ""),
            "after": then[name],
        }
        for name in stacks
    ]
    return {
        "changed": changed,
        "actions": [action.as_dict() for action in actions],
        "stacks": stacks,
        "armed": bool(switch and switch.pending) and not module.check_mode,
        "rollback": "login",
        "operator": login.operator,
        "diff": diff_of(actions) + shown,
    }


def main() -> None:
    """Read the arguments, decide, do, and report."""
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "required": True, "options": FILE_OPTIONS},
            "force": {"type": "bool", "default": False},
            "rollback_seconds": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except (LoginError, TrialError, SpecError, Obstacle, RollbackError, OSError, ValueError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
