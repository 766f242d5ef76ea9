#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Module rampart.fleet.file_set: many whole files in one invocation, all of them or none."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: file_set
short_description: Write many whole files at once, all of them or none
version_added: 0.1.0
author: The Rampart authors (@rampart-fleet)
description:
  - Compares a set of files with what stands on the host and changes what differs, in one invocation.
  - Every file is staged beside its place and validated there before the first one moves in. When anything fails,
    also a command of O(verify), everything is as it was.
  - Missing parent directories are made with mode C(0755), owned by root.
options:
  files:
    description: The files, each whole.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path.
        type: str
        required: true
      content:
        description:
          - The whole content, as the file shall have it, or that of the block.
          - Required with O(files[].state=present) and O(files[].state=block).
        type: str
      target:
        description: Where a symbolic link leads. Required with O(files[].state=link).
        type: str
      owner:
        description: Owner, name or number.
        type: str
        default: root
      group:
        description: Group, name or number.
        type: str
        default: root
      mode:
        description: Permissions as an octal string; C(0644) for files and C(0755) for directories when not given.
        type: str
      state:
        description:
          - V(present) is a regular file with this content; a symbolic link in its place is replaced.
          - V(absent) removes a file or link.
          - V(directory) is a directory.
          - V(restricted) leaves content alone, sets owner and group and takes away permissions beyond O(files[].mode)
            without adding any; a path that does not exist stays so, and a symbolic link is left alone. Here the
            path may be a shell pattern; what matches it, and is not named itself, keeps its owner and group.
          - V(link) is a symbolic link to O(files[].target), which need not exist; a file in its place is replaced.
          - V(block) keeps the content between two marks at the end of a file that somebody else owns; all other lines,
            owner, group and permissions stay. Without content there is no block. A file that does not exist is made,
            and a symbolic link is left alone.
        type: str
        choices: [present, absent, directory, restricted, link, block]
        default: present
      unless:
        description: Regular expression for a line of others; a file that has one gets no O(files[].state=block).
        type: str
      validate:
        description: Command without a shell that accepts or refuses the staged file, C(%s) in its arguments.
        type: str
  verify:
    description:
      - Commands without a shell that run when all files are in place.
      - One that ends with another status than 0 undoes the set.
      - They run only when something changed, and not in check mode.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Says what would change. Contents are validated as copies in the temporary directory.
    support: full
  diff_mode:
    description: Shows each file before and after.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Sudo asks for a terminal and the shell closes idle sessions
  rampart.fleet.file_set:
    files:
      - path: /etc/sudoers.d/rampart
        content: "{{ lookup('ansible.builtin.template', 'etc/sudoers.d/rampart.j2') }}"
        mode: "0440"
        validate: visudo -cf %s
      - path: /etc/profile.d/rampart.sh
        content: "{{ lookup('ansible.builtin.template', 'etc/profile.d/rampart.sh.j2') }}"
      - path: /etc/fstab
        state: block
        content: tmpfs /dev/shm tmpfs nosuid,nodev,noexec 0 0
        unless: '^[^#]\S*\s+/dev/shm\s'
      - path: /etc/shadow
        state: restricted
        group: shadow
        mode: "0640"
    verify:
      - visudo -c
"""

RETURN = r"""
actions:
  description: What was done, or would be done, in order.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: The path.
      type: str
    action:
      description: What was done to it, one of create, replace, attributes, remove, mkdir.
      type: str
    mode:
      description: Its permissions afterwards.
      type: str
    uid:
      description: Its owner afterwards.
      type: int
    gid:
      description: Its group afterwards.
      type: int
    target:
      description: Where it leads, when it is a symbolic link.
      type: str
  sample: [{path: /etc/sudoers.d/rampart, action: create, mode: "0440", uid: 0, gid: 0}]
"""

import glob
import grp
import pwd
import shlex
import tempfile
from collections.abc import Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rampart.fleet.plugins.module_utils.atomic import beside, remove
from ansible_collections.rampart.fleet.plugins.module_utils.file_set.plan import Action, Obstacle, decide, diff_of
from ansible_collections.rampart.fleet.plugins.module_utils.file_set.spec import FileSpec, SpecError, expand, parse
from ansible_collections.rampart.fleet.plugins.module_utils.file_set.transaction import Transaction, look, write

FILE_OPTIONS = {
    "path": {"type": "str", "required": True},
    "content": {"type": "str"},
    "target": {"type": "str"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "mode": {"type": "str"},
    "state": {
        "type": "str",
        "choices": ["present", "absent", "directory", "restricted", "link", "block"],
        "default": "present",
    },
    "unless": {"type": "str"},
    "validate": {"type": "str"},
}


class Refused(Exception):
    """A command did not accept the files; the message names it, its status and what it said."""


def run_or_refuse(module: AnsibleModule, command: Sequence[str], what: str) -> None:
    """Run a command without a shell; raise Refused with its output when it does not end with 0."""
    rc, out, err = module.run_command(list(command), environ_update={"LC_ALL": "C"})
    if rc != 0:
        said = (err or out or "it said nothing").strip()
        raise Refused(f"{what}: '{' '.join(command)}' ended with status {rc}, wanted 0: {said}")


def validate(module: AnsibleModule, spec: FileSpec, staged: str) -> None:
    """Let the spec's own command judge the staged file."""
    if not spec.validate:
        return
    command = [word.replace("%s", staged) for word in shlex.split(spec.validate)]
    # In a check before the first run the package with the command may still be missing.
    if module.check_mode and not module.get_bin_path(command[0]):
        return
    run_or_refuse(module, command, f"the new {spec.path} is not valid")


def rehearse(module: AnsibleModule, actions: Sequence[Action]) -> None:
    """Validate copies of the new contents in the temporary directory."""
    # Not module.tmpdir: with pipelining that makes a folder in the home of root, and a check leaves nothing behind.
    with tempfile.TemporaryDirectory() as folder:
        for action in actions:
            if action.verb in ("create", "replace") and action.spec.validate:
                copy = f"{folder}/copy"
                write(copy, action.spec, action.mode)
                validate(module, action.spec, copy)


def verify(module: AnsibleModule) -> None:
    """Run the commands that judge the set as a whole."""
    for command in module.params["verify"]:
        run_or_refuse(module, shlex.split(command), "the new files were taken back")


def sweep(files: Sequence[Any]) -> None:
    """Remove what a run that was killed, or a loss of power, left beside the files."""
    for entry in files:
        remove(beside(entry["path"]))


def plan(files: Sequence[Any]) -> list[Action]:
    """Return what has to be done on this host."""
    specs = parse(files, lambda name: pwd.getpwnam(name).pw_uid, lambda name: grp.getgrnam(name).gr_gid)
    specs = expand(specs, glob.glob)
    read = ("present", "absent", "link", "block")
    decided = (decide(spec, look(spec.path, read=spec.state in read)) for spec in specs)
    return [action for action in decided if action is not None]


def main() -> None:
    """Read the arguments, decide, do, and report."""
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "required": True, "options": FILE_OPTIONS},
            "verify": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        if not module.check_mode:
            sweep(module.params["files"])
        actions = plan(module.params["files"])
        if module.check_mode:
            rehearse(module, actions)
        elif actions:
            Transaction(actions, lambda spec, staged: validate(module, spec, staged)).run(lambda: verify(module))
    except (SpecError, Obstacle, Refused, OSError) as error:
        module.fail_json(msg=f"No file was changed. {error}")
    module.exit_json(changed=bool(actions), actions=[action.as_dict() for action in actions], diff=diff_of(actions))


if __name__ == "__main__":
    main()
