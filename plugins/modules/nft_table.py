#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""One table of nftables, compared with the kernel's by meaning and replaced as a whole."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nft_table
short_description: One table of nftables, replaced as a whole, with a rollback that happens by itself
version_added: 0.1.0
author: The Rampart authors (@rampart-fleet)
description:
  - Compares a table with the kernel's by meaning; counters, handles and the elements of dynamic sets do not count.
    To do so it loads the table in a network namespace of its own, which changes nothing on the host.
  - Replaces the table in one transaction. Other tables are never touched, and C(flush ruleset) is refused.
  - Refuses a table that would drop the SSH connection that the module came in by.
  - Arms a timer that restores the previous table. M(rampart.fleet.deadman) confirms the change from a new connection.
  - Reads the table back afterwards; what the kernel then has is what was asked for, or the previous table is restored.
options:
  family:
    description: Address family of the table.
    type: str
    choices: [inet, ip, ip6]
    default: inet
  name:
    description: Name of the table.
    type: str
    required: true
  ruleset:
    description: The table as text, C(table inet NAME { ... }) and nothing else. Required unless O(state=absent).
    type: str
  state:
    description: Whether the table shall exist.
    type: str
    choices: [present, absent]
    default: present
  rollback_seconds:
    description: Time after which an unconfirmed change is taken back, in seconds; V(0) for none.
    type: int
    default: 60
  protect_ssh:
    description: Refuse a table that drops new connections from the address that this SSH connection comes from.
    type: bool
    default: true
attributes:
  check_mode:
    description: Can run in check mode and says what would change.
    support: full
  diff_mode:
    description: Returns the table before and after.
    support: full
  idempotent:
    description: A second run with the same ruleset changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: The table of the firewall is in force
  rampart.fleet.nft_table:
    name: rampart
    ruleset: "{{ _firewall_table }}"
  register: __firewall_table
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
operator:
  description: The address that the current SSH connection comes from; empty when there is none.
  returned: always
  type: str
"""

import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rampart.fleet.plugins.module_utils.deadman.operator import operator
from ansible_collections.rampart.fleet.plugins.module_utils.deadman.plan import DeadMan
from ansible_collections.rampart.fleet.plugins.module_utils.deadman.switch import RollbackError, Switch
from ansible_collections.rampart.fleet.plugins.module_utils.firewall.accepts import accepts, admits
from ansible_collections.rampart.fleet.plugins.module_utils.firewall.ruleset import (
    NftFormatError,
    Ruleset,
    comparable,
    parse,
)
from ansible_collections.rampart.fleet.plugins.module_utils.firewall.text import TextError, only_table

# Both listings come from one namespace, so that text and JSON are of the same load.
_SCRATCH = 'nft -f - && nft -j list table "$1" "$2" && echo && nft -s list table "$1" "$2"'


class Table:
    """The table on this host and the commands that change it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.family, self.name = module.params["family"], module.params["name"]

    def run(self, argv: list[str], data: str | None = None) -> tuple[int, str, str]:
        """Run a command and return its status, stdout and stderr."""
        rc, out, err = self.module.run_command(argv, data=data, environ_update={"LC_ALL": "C"})
        return rc, out, err

    def current(self) -> tuple[Ruleset | None, str]:
        """Return the kernel's table and its text; None and no text when there is none."""
        rc, out, err = self.run(["nft", "-j", "list", "table", self.family, self.name])
        if rc != 0:
            if "No such file or directory" in err:
                return None, ""
            self.module.fail_json(msg=f"nft cannot list table {self.family} {self.name}: {err.strip()}")
        return parse(out), self.run(["nft", "-s", "list", "table", self.family, self.name])[1]

    def desired(self, text: str) -> tuple[Ruleset, str]:
        """Return the wanted table as the kernel would have it, and its text, from a scratch network namespace."""
        argv = ["unshare", "--net", "--", "sh", "-c", _SCRATCH, "sh", self.family, self.name]
        rc, out, err = self.run(argv, data=text)
        if rc != 0:
            self.module.fail_json(
                msg=f"the ruleset of table {self.family} {self.name} is not valid, nothing was changed: {err.strip()}"
            )
        listing, _unused, printed = out.partition("\n\n")
        return parse(listing), printed

    def transaction(self, body: str) -> str:
        """Return the text that replaces the table by `body` (empty: removes it), whether it exists or not."""
        return f"table {self.family} {self.name}\ndelete table {self.family} {self.name}\n{body}"

    def load(self, body: str) -> None:
        """Check and load the transaction; on an error the kernel keeps what it has."""
        for argv in (["nft", "-c", "-f", "-"], ["nft", "-f", "-"]):
            rc, _out, err = self.run(argv, data=self.transaction(body))
            if rc != 0:
                raise RollbackError(f"nft refused the table, the kernel keeps the previous one: {err.strip()}")


def guard(module: AnsibleModule, ruleset: Ruleset) -> str:
    """Fail when the ruleset would drop the operator; return the operator's address."""
    who = operator(lambda path: Path(path).read_text(encoding="utf-8", errors="replace"), os.getpid())
    if who is None:
        return ""
    if module.params["protect_ssh"] and not admits(accepts(ruleset), who.address, who.local_port):
        module.fail_json(
            msg=f"the ruleset drops new SSH connections from {who.address} to port {who.local_port}, "
            "which is where this run comes from; nothing was changed. "
            "Add the address to the sources of the SSH rule (role firewall: firewall_management_sources)."
        )
    return who.address


def change(table: Table, switch: Switch | None, body: str, wanted: Ruleset | None, before: str) -> None:
    """Arm, load and read back; restore the previous table when the kernel has another than the wanted one."""
    if switch is not None:
        undo = f"nft -f {switch.plan.folder}/previous.nft"
        switch.arm({"previous.nft": table.transaction(before)}, [undo])
    try:
        table.load(body)
    except RollbackError:
        if switch is not None:
            switch.confirm()
        raise
    found, _text = table.current()
    if (found is None) != (wanted is None) or (found and wanted and comparable(found) != comparable(wanted)):
        if switch is not None:
            switch.roll_back()
        raise RollbackError(
            f"the kernel has another table than was loaded; something else changes {table.name}, find and stop it"
        )


def without_nft(module: AnsibleModule) -> dict[str, Any]:
    """Return what can be said on a host where nft is not installed yet, which is an error but in check mode."""
    if not module.check_mode:
        module.fail_json(msg="nft is not on this host; install the package nftables first")
    present = module.params["state"] == "present"
    diff = {"before": "", "after": module.params["ruleset"] if present else ""}
    return {"changed": present, "armed": False, "rollback": "", "operator": "", "diff": diff}


def main() -> None:
    """Bring the table to its state."""
    module = AnsibleModule(
        argument_spec={
            "family": {"type": "str", "choices": ["inet", "ip", "ip6"], "default": "inet"},
            "name": {"type": "str", "required": True},
            "ruleset": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "rollback_seconds": {"type": "int", "default": 60},
            "protect_ssh": {"type": "bool", "default": True},
        },
        required_if=[("state", "present", ["ruleset"])],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except (NftFormatError, TextError, RollbackError, ValueError) as error:
        module.fail_json(msg=str(error))


def run(module: AnsibleModule) -> dict[str, Any]:
    """Compare, change and return the result."""
    if module.get_bin_path("nft") is None:
        return without_nft(module)
    table, seconds = Table(module), module.params["rollback_seconds"]
    present = module.params["state"] == "present"
    body = module.params["ruleset"] if present else ""
    wanted, after, peer = None, "", ""
    if present:
        only_table(body, table.family, table.name)
        wanted, after = table.desired(body)
        peer = guard(module, wanted)
    current, before = table.current()
    same = comparable(current) == comparable(wanted) if current and wanted else current is wanted
    name = "nft-{}-{}".format(table.family, table.name.lower().replace("_", "-"))
    switch = Switch(DeadMan(name, seconds), lambda argv: table.run(list(argv))) if seconds else None
    if not same and not module.check_mode:
        change(table, switch, body, wanted, before)
    return {
        "changed": not same,
        "armed": bool(switch and switch.pending) and not module.check_mode,
        "rollback": name,
        "operator": peer,
        "diff": {"before": before, "after": after, "before_header": "kernel", "after_header": "wanted"},
    }


if __name__ == "__main__":
    main()
