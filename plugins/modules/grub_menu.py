#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Module rampart.fleet.grub_menu: change what GRUB starts, and never leave a host that does not start."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: grub_menu
short_description: Write settings of GRUB and the menu that follows from them, all of it or nothing
version_added: 0.2.0
author: The Rampart authors (@rampart-fleet)
description:
  - Writes files of C(/etc/default/grub.d) and C(/etc/grub.d), has C(grub-mkconfig) make a new menu beside the one
    in use, and puts it in place by one rename.
  - The new menu is refused, and all files are as they were, when it is no valid script, has no entry with a kernel,
    starts a kernel or an initial RAM disk that is not there, or another root file system than the menu in use.
options:
  files:
    description: The settings, each a whole file.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
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
  generators:
    description:
      - Scripts of C(/etc/grub.d) by path, and whether grub-mkconfig shall run each.
      - A script that is not there is left out.
    type: dict
    default: {}
  path:
    description: The menu.
    type: path
    default: /boot/grub/grub.cfg
  mode:
    description: Permissions of the menu.
    type: str
    default: "0600"
attributes:
  check_mode:
    description: Says which files would change.
    support: partial
    details: The menu is made from the settings as they are, so what the new files would change in it is not shown.
  diff_mode:
    description: Shows each file before and after, and the menu without passwords.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: The kernel records what happens before the audit service
  rampart.fleet.grub_menu:
    files:
      - path: /etc/default/grub.d/rampart.cfg
        content: |
          GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX audit=1"
"""

RETURN = r"""
actions:
  description: What was done, or would be done, in order; see M(rampart.fleet.file_set).
  returned: always
  type: list
  elements: dict
  sample: [{path: /etc/default/grub.d/rampart.cfg, action: create, mode: "0644", uid: 0, gid: 0}]
menu_changed:
  description: Whether the menu is another one.
  returned: always
  type: bool
title:
  description: The entry that starts by itself.
  returned: always
  type: str
cmdline:
  description: Its kernel command line.
  returned: always
  type: str
waiting:
  description: Words of that command line that the running kernel was not started with.
  returned: always
  type: list
  elements: str
"""

import os
import re
import stat
from contextlib import suppress
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rampart.fleet.plugins.module_utils.atomic import replace
from ansible_collections.rampart.fleet.plugins.module_utils.boot.grub import Entry, environment_block
from ansible_collections.rampart.fleet.plugins.module_utils.boot.replace import Refused, judge, waiting
from ansible_collections.rampart.fleet.plugins.module_utils.file_set.plan import Action, Obstacle, decide, diff_of
from ansible_collections.rampart.fleet.plugins.module_utils.file_set.spec import SpecError, parse
from ansible_collections.rampart.fleet.plugins.module_utils.file_set.transaction import Transaction, look

FILE_OPTIONS = {
    "path": {"type": "str", "required": True},
    "content": {"type": "str"},
    "mode": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
RUNNING = "/proc/cmdline"
_SECRET = re.compile(r"(password(?:_pbkdf2)?\s+\S+)\s+\S+")


def tool(module: AnsibleModule, *words: str) -> None:
    """Run a tool of GRUB; raise Refused with what it said when it does not end with 0."""
    rc, out, err = module.run_command(list(words), environ_update={"LC_ALL": "C"})
    if rc != 0:
        raise Refused(f"'{' '.join(words)}' ended with status {rc}, wanted 0: {(err or out).strip()[-800:]}")


def text_of(path: str) -> str:
    """Return a file's text, empty when it is not there."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


class Menu:
    """The menu in use and the one that the settings make; `generate` may be called again after the settings changed."""

    def __init__(self, module: AnsibleModule, path: str, mode: int) -> None:
        self._module, self._path, self._mode = module, Path(path), mode
        self.old = self.new = text_of(path)
        self.entry: Entry | None = None
        self.changed = False

    def generate(self, folder: str) -> None:
        """Make the new menu and judge it; the file stays in `folder` under the name `new`."""
        made = f"{folder}/.rampart-grub.cfg"
        try:
            # For root alone from the beginning: it may hold a password.
            os.close(os.open(made, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
            tool(self._module, "grub-mkconfig", "-o", made)
            tool(self._module, "grub-script-check", made)
            new = text_of(made)
            environment = environment_block(text_of(str(self._path.parent / "grubenv")))
            self.entry = judge(new, self.old, environment, lambda path: Path(path).exists())
            self.new = new
            self.changed = new != self.old or not self._right()
        finally:
            for name in (made, f"{made}.new"):
                with suppress(FileNotFoundError):
                    Path(name).unlink()

    def _right(self) -> bool:
        status = self._path.stat()
        return (stat.S_IMODE(status.st_mode), status.st_uid) == (self._mode, os.geteuid())

    def replace(self) -> None:
        """Put the new menu in place, whole and safe against a loss of power."""
        replace(self._path, self.new, self._mode)

    def diff(self) -> list[dict[str, str]]:
        """Return the menu before and after."""
        if self.new == self.old:
            return []
        return [
            {"before_header": str(self._path), "after_header": str(self._path), "before": self.old, "after": self.new}
        ]


def switches(generators: dict[str, object]) -> list[tuple[Path, int, int]]:
    """Return path, permissions before and permissions wanted of the scripts that must change."""
    found = []
    for name, runs in sorted(generators.items()):
        path = Path(name)
        if path.is_file():
            before = stat.S_IMODE(path.stat().st_mode)
            after = before | 0o111 if runs else before & ~0o111
            if before != after:
                found.append((path, before, after))
    return found


def apply(menu: Menu, actions: list[Action], changes: list[tuple[Path, int, int]], folder: str) -> None:
    """Write the settings and the menu; whatever goes wrong leaves all of it as it was."""

    def rest() -> None:
        try:
            for path, _before, after in changes:
                path.chmod(after)
            menu.generate(folder)
            if menu.changed:
                menu.replace()
        except (Refused, OSError):
            for path, before, _after in changes:
                path.chmod(before)
            raise

    Transaction(actions, lambda spec, staged: None).run(rest)


def main() -> None:
    """Read the arguments, decide, do, and report."""
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "default": [], "options": FILE_OPTIONS},
            "generators": {"type": "dict", "default": {}},
            "path": {"type": "path", "default": "/boot/grub/grub.cfg"},
            "mode": {"type": "str", "default": "0600"},
        },
        supports_check_mode=True,
    )
    wanted = [{**entry, "owner": str(os.geteuid()), "group": str(os.getegid())} for entry in module.params["files"]]
    menu = Menu(module, module.params["path"], int(module.params["mode"], 8))
    try:
        specs = parse(wanted, int, int)
        decided = (decide(spec, look(spec.path, read=True)) for spec in specs)
        actions = [action for action in decided if action is not None]
        changes = switches(module.params["generators"])
        if module.check_mode:
            menu.generate(module.tmpdir)
        else:
            apply(menu, actions, changes, str(Path(module.params["path"]).parent))
    except (SpecError, Obstacle, Refused, OSError) as error:
        module.fail_json(msg=f"Nothing was changed, and the host starts as before. {error}")
    told = [action.as_dict() for action in actions]
    told += [{"path": str(path), "action": "attributes", "mode": f"{after:04o}"} for path, _before, after in changes]
    entry, diff = menu.entry, diff_of(actions) + menu.diff()
    module.exit_json(
        changed=bool(told) or menu.changed,
        actions=told,
        menu_changed=menu.changed,
        title=entry.title if entry else "",
        cmdline=entry.arguments if entry else "",
        waiting=waiting(entry, text_of(RUNNING)) if entry else [],
        diff=[{key: _SECRET.sub(r"\1 (hidden)", text) for key, text in pair.items()} for pair in diff],
    )


if __name__ == "__main__":
    main()
