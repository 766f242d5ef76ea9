#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""One drop-in of sshd that is known to be in force, and to let the operator back in."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sshd_dropin
short_description: One drop-in of sshd, validated, proven to be in force, with a rollback that happens by itself
version_added: 0.1.0
author: The Rampart authors (@rampart-fleet)
description:
  - Writes a whole drop-in file and reloads sshd; a running connection stays. A daemon that has not read an earlier
    change of its files is reloaded as well.
  - Leaves out algorithms and O(optional) keywords that the installed sshd does not know.
  - Builds the complete configuration with the new drop-in beside the real one, checks it with C(sshd -t), and asks
    C(sshd -T -C) in several contexts whether every setting is in force. When an earlier file or a C(Match) block
    decides otherwise it fails, names file and line, and changes nothing.
  - Refuses a configuration that would keep out the account that the module runs over.
  - Arms a timer that restores the previous file and reloads sshd. M(rampart.fleet.deadman) confirms the change from a
    new connection.
options:
  path:
    description: The drop-in file.
    type: path
    default: /etc/ssh/sshd_config.d/00-rampart.conf
  main:
    description: The main configuration file, which must include the drop-in.
    type: path
    default: /etc/ssh/sshd_config
  repeat:
    description:
      - Whether the settings stand in a marked block of O(main) too, before its first directive but for C(Include). The
        drop-in comes first and decides; the block is for scanners, which often read no other file.
      - V(false) takes the block away.
      - Keywords whose values add up, and those of which the last value counts, are left out of the block.
    type: bool
    default: false
  settings:
    description: Keywords and values; a list is a list of algorithms or words, V(null) leaves a keyword out.
    type: dict
    required: true
  optional:
    description: Keywords that are left out when the installed sshd does not know them.
    type: list
    elements: str
    default: []
  contexts:
    description:
      - Contexts of C(user), C(host) and C(addr), in which the settings must hold; the current connection's is added.
    type: list
    elements: dict
    default: [{user: root}, {user: nobody}]
  exceptions:
    description: Keywords that a C(Match) block may decide otherwise.
    type: list
    elements: str
    default: []
  header:
    description: Comment at the head of the file.
    type: str
    default: Managed by Rampart.
  rollback_seconds:
    description: Time after which an unconfirmed change is taken back, in seconds; V(0) for none.
    type: int
    default: 60
attributes:
  check_mode:
    description: Can run in check mode; the new configuration is validated all the same.
    support: full
  diff_mode:
    description: Returns the file before and after.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Root does not log in over SSH
  rampart.fleet.sshd_dropin:
    settings: {PermitRootLogin: false, MaxAuthTries: 4}
  register: __ssh_server_dropin
"""

RETURN = r"""
armed:
  description: Whether a rollback waits for M(rampart.fleet.deadman) to confirm the change.
  returned: always
  type: bool
rollback:
  description: The name of the rollback.
  returned: always
  type: str
left_out:
  description: Algorithms and keywords that the installed sshd does not know.
  returned: always
  type: list
  elements: str
"""

import os
import shlex
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rampart.fleet.plugins.module_utils.atomic import replace
from ansible_collections.rampart.fleet.plugins.module_utils.deadman.operator import operator
from ansible_collections.rampart.fleet.plugins.module_utils.deadman.plan import DeadMan
from ansible_collections.rampart.fleet.plugins.module_utils.deadman.switch import RollbackError, Switch
from ansible_collections.rampart.fleet.plugins.module_utils.sshd.account import account_of
from ansible_collections.rampart.fleet.plugins.module_utils.sshd.config import directives, rebased, repeated, rivals
from ansible_collections.rampart.fleet.plugins.module_utils.sshd.effective import context_argument, differences, parse
from ansible_collections.rampart.fleet.plugins.module_utils.sshd.files import paths, read
from ansible_collections.rampart.fleet.plugins.module_utils.sshd.lockout import reasons
from ansible_collections.rampart.fleet.plugins.module_utils.sshd.settings import (
    QUERIES,
    UNPRINTED,
    SettingsError,
    render,
    supported,
)

MODE = 0o600
# What reading puts for a byte that is not UTF-8.
UNREADABLE = "\N{REPLACEMENT CHARACTER}"
REPEATED = "The same as the drop-in of Rampart, which is read first and decides."


class SshdError(Exception):
    """The configuration is not valid or not in force; the message names the file and what to do."""


class Sshd:
    """The sshd of this host."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module, self.main = module, module.params["main"]

    def run(self, argv: list[str]) -> tuple[int, str, str]:
        """Run a command and return its status, stdout and stderr."""
        rc, out, err = self.module.run_command(argv, environ_update={"LC_ALL": "C"})
        return rc, out, err

    def effective(self, main: str, ctx: dict[str, Any]) -> dict[str, Any]:
        """Return what a configuration decides for a context. Raises SshdError."""
        rc, out, err = self.run(["/usr/sbin/sshd", "-T", "-f", main, "-C", context_argument(ctx)])
        if rc != 0:
            raise SshdError(f"sshd -T refuses {main}: {err.strip() or out.strip()}")
        return parse(out)

    def algorithms(self) -> dict[str, list[str]]:
        """Return what the installed OpenSSH knows for each keyword of algorithms."""
        return {keyword: self.run(["ssh", "-Q", query])[1].split() for keyword, query in QUERIES.items()}

    def keywords(self) -> list[str]:
        """Return the keywords that the installed sshd takes, in lower case."""
        silent = [name for name in UNPRINTED if self.run(["/usr/sbin/sshd", "-t", "-o", f"{name}=no"])[0] == 0]
        return [*self.effective(self.main, {}), *(name.lower() for name in silent)]

    def reload(self) -> None:
        """Let the running daemon read its configuration; with socket activation every connection reads it."""
        for unit in ("ssh.service", "sshd.service"):
            if self.run(["systemctl", "is-active", "--quiet", unit])[0] == 0:
                rc, _out, err = self.run(["systemctl", "reload", unit])
                if rc != 0:
                    raise SshdError(f"{unit} was not reloaded: {err.strip()}")
                return

    def behind(self, folder: Path) -> bool:
        """Say whether a daemon runs that has not read the last change of its files: an interrupted run leaves one."""
        loaded = Path("/run/sshd.pid")
        if not loaded.exists():
            return False
        places = [Path(self.main), folder, *folder.glob("*.conf")]
        # A reload within the second of the change may have either time.
        return max(place.stat().st_mtime for place in places if place.exists()) > loaded.stat().st_mtime + 1


class Candidate:
    """The complete configuration with the new drop-in, in a folder of its own, to be asked before anything changes."""

    def __init__(self, sshd: Sshd, path: str, content: str, main: str, folder: str) -> None:
        self.sshd, self.path, self.folder = sshd, path, folder
        home = str(Path(path).parent)
        dropins = Path(folder) / Path(home).name
        dropins.mkdir(mode=0o700)
        for source in sorted(str(path) for path in Path(home).glob("*")):
            if Path(source).is_file():
                (dropins / Path(source).name).write_text(rebased(read(source), home, str(dropins)), encoding="utf-8")
        self.own = str(dropins / Path(path).name)
        Path(self.own).write_text(content, encoding="utf-8")
        self.main = str(Path(folder) / "sshd_config")
        Path(self.main).write_text(rebased(main, home, str(dropins)), encoding="utf-8")
        self.home, self.dropins = home, str(dropins)

    def named(self, text: str) -> str:
        """Return a message with the real places instead of the folder's."""
        return text.replace(self.dropins, self.home).replace(self.main, self.sshd.main)

    def check(self) -> None:
        """Raise SshdError unless sshd accepts the configuration and the main file includes the drop-in."""
        rc, out, err = self.sshd.run(["/usr/sbin/sshd", "-t", "-f", self.main])
        if rc != 0:
            raise SshdError(
                "the new configuration is not valid, nothing was changed: " + self.named((err or out).strip())
            )
        if all(one.file != self.own for one in self.directives()):
            raise SshdError(
                f"{self.sshd.main} does not include {self.path}, so nothing in it would be in force; nothing changed"
                f". Add the line 'Include {self.home}/*.conf' as the first line of {self.sshd.main}"
            )

    def directives(self) -> list[Any]:
        """Return all directives of the configuration, in sshd's order."""
        return list(directives(self.main, read, paths))

    def prove(self, settings: dict[str, Any], contexts: list[dict[str, Any]], exceptions: list[str]) -> None:
        """Raise SshdError naming file and line of whatever keeps a setting from being in force."""
        free = {name.lower() for name in (*exceptions, *UNPRINTED)}
        for ctx in contexts:
            wrong = differences(self.sshd.effective(self.main, ctx), settings)
            for keyword, (found, wanted) in wrong.items():
                if keyword.lower() in free:
                    continue
                places = [one.place for one in rivals(self.directives(), keyword, self.own)]
                where = (
                    self.named("; ".join(places)) or f"{self.sshd.main} (no line of it; look at sshd's own defaults)"
                )
                raise SshdError(
                    f"{keyword} would be '{found}' for {context_argument(ctx)}, wanted '{wanted}'; nothing was changed"
                    f". It is decided by {where}. Remove that line, or name the keyword in the exceptions"
                )


def put(sshd: Sshd, switch: Switch | None, changes: dict[str, str]) -> None:
    """Arm, write and reload; on an error the previous files are back at once. Raises SshdError or RollbackError.

    Both files are kept, whichever changes: a rollback that waits already takes back what a second run adds to it.
    """
    before = {path: read(path) if Path(path).exists() else None for path in (sshd.module.params["path"], sshd.main)}
    if switch is not None:
        reload = "systemctl try-reload-or-restart ssh.service || systemctl try-reload-or-restart sshd.service"
        kept = {Path(path).name: text or "" for path, text in before.items()}
        back = [_back(switch.plan.folder, path, text) for path, text in before.items()]
        switch.arm(kept, [*back, f"/usr/sbin/sshd -t && {{ {reload}; }}"])
    try:
        for path, content in changes.items():
            replace(Path(path), content, MODE)
        rc, out, err = sshd.run(["/usr/sbin/sshd", "-t"])
        if rc != 0:
            raise SshdError(
                f"sshd refuses the configuration in its place, the previous one was restored: {(err or out).strip()}"
            )
        sshd.reload()
    except (SshdError, OSError):
        if switch is not None:
            switch.roll_back()
        else:
            _restore(before)
        raise


def _back(folder: str, path: str, text: str | None) -> str:
    place = shlex.quote(path)
    return f"rm -f {place}" if text is None else f"cp {shlex.quote(f'{folder}/{Path(path).name}')} {place}"


def _restore(before: dict[str, str | None]) -> None:
    for path, text in before.items():
        if text is None:
            Path(path).unlink()
        else:
            replace(Path(path), text, MODE)


def pair(path: str, before: str, after: str) -> dict[str, str]:
    """Return a file before and after, in the shape that Ansible prints."""
    return {"before": before, "after": after, "before_header": path, "after_header": path}


def main() -> None:
    """Bring the drop-in into force."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/etc/ssh/sshd_config.d/00-rampart.conf"},
            "main": {"type": "path", "default": "/etc/ssh/sshd_config"},
            "repeat": {"type": "bool", "default": False},
            "settings": {"type": "dict", "required": True},
            "optional": {"type": "list", "elements": "str", "default": []},
            "contexts": {"type": "list", "elements": "dict", "default": [{"user": "root"}, {"user": "nobody"}]},
            "exceptions": {"type": "list", "elements": "str", "default": []},
            "header": {"type": "str", "default": "Managed by Rampart."},
            "rollback_seconds": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except (SshdError, SettingsError, RollbackError, OSError, ValueError) as error:
        module.fail_json(msg=str(error))


def run(module: AnsibleModule) -> dict[str, Any]:
    """Validate, prove, change and return the result."""
    sshd, path, seconds = Sshd(module), module.params["path"], module.params["rollback_seconds"]
    known = sshd.keywords()
    settings, left_out = supported(module.params["settings"], sshd.algorithms(), known, module.params["optional"])
    content = render(settings, module.params["header"])
    main_before = read(sshd.main)
    main_after = repeated(main_before, render(settings, REPEATED) if module.params["repeat"] else "")
    if main_after != main_before and UNREADABLE in main_before:
        raise SshdError(f"{sshd.main} is not UTF-8, so it cannot be written anew; convert it, or set repeat to false")
    who = operator(read, os.getpid())
    contexts = list(module.params["contexts"])
    if who is not None:
        contexts.append({"user": who.user, "addr": who.address, "laddr": who.local_address, "lport": who.local_port})
    with tempfile.TemporaryDirectory(prefix="rampart-sshd-") as folder:
        candidate = Candidate(sshd, path, content, main_after, folder)
        candidate.check()
        candidate.prove(settings, contexts, module.params["exceptions"])
        if who is not None:
            effective = sshd.effective(candidate.main, contexts[-1])
            found = reasons(effective, account_of(who.user, effective, lambda argv: sshd.run(list(argv))))
            if found:
                raise SshdError("this would lock out the account of this run, nothing was changed: " + "; ".join(found))
    before = read(path) if Path(path).exists() else ""
    mode = Path(path).stat().st_mode & 0o777 if before else MODE
    changes = {path: content} if before != content or mode != MODE else {}
    if main_after != main_before:
        changes[sshd.main] = main_after
    behind = not changes and sshd.behind(Path(path).parent)
    switch = Switch(DeadMan("sshd", seconds), lambda argv: sshd.run(list(argv))) if seconds else None
    if changes and not module.check_mode:
        put(sshd, switch, changes)
    if behind and not module.check_mode:
        sshd.reload()
    return {
        "changed": bool(changes) or behind,
        "armed": bool(switch and switch.pending) and not module.check_mode,
        "rollback": "sshd",
        "left_out": left_out,
        "diff": [pair(path, before, content), pair(sshd.main, main_before, main_after)],
    }


if __name__ == "__main__":
    main()
