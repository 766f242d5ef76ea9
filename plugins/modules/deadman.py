#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Says that a change is good, so that its rollback does not happen."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deadman
short_description: Confirm a change that would otherwise be taken back
version_added: 0.1.0
author: The Rampart authors (@rampart-fleet)
description:
  - Modules that could cut the operator off arm a rollback before they change anything.
    This module, run over a connection that was made after the change, ends it.
  - Fails when the rollback has happened already.
options:
  name:
    description: The name of the rollback, as the module that armed it returned it.
    type: str
    required: true
attributes:
  check_mode:
    description: Can run in check mode and says whether a rollback waits.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  idempotent:
    description: Confirming what is confirmed changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: The connection is a new one
  ansible.builtin.meta: reset_connection

- name: The change is confirmed
  rampart.fleet.deadman:
    name: "{{ __firewall_table.rollback }}"
"""

RETURN = r"""
waiting:
  description: Whether a rollback was waiting.
  returned: always
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rampart.fleet.plugins.module_utils.deadman.plan import DeadMan
from ansible_collections.rampart.fleet.plugins.module_utils.deadman.switch import RollbackError, Switch


def main() -> None:
    """Confirm the change."""
    module = AnsibleModule(argument_spec={"name": {"type": "str", "required": True}}, supports_check_mode=True)
    try:
        switch = Switch(DeadMan(module.params["name"]), lambda argv: module.run_command(list(argv)))
        waiting = switch.pending if module.check_mode else switch.confirm()
    except (RollbackError, ValueError) as error:
        module.fail_json(msg=str(error))
    # The change itself was reported where it was made.
    module.exit_json(changed=False, waiting=waiting)


if __name__ == "__main__":
    main()
