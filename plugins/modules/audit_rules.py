#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Module rampart.fleet.audit_rules: the kernel holds the audit rules that were asked for, read back from the kernel."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: audit_rules
short_description: Load audit rules and read them back from the kernel
version_added: 0.1.0
author: The Rampart authors (@rampart-fleet)
description:
  - Compares the rules with what C(auditctl -l) and C(auditctl -s) say that the kernel holds.
  - When some are missing, loads the files of C(/etc/audit/rules.d) with C(augenrules --load) and reads back.
  - Fails, naming the rules, when the kernel does not hold them afterwards.
  - Rules that are locked (C(-e 2)) change with the next boot only. RV(locked) and RV(reason) say so; it is no failure.
options:
  rules:
    description: The text of a rules file that stands in C(/etc/audit/rules.d) already.
    type: str
    required: true
attributes:
  check_mode:
    description: Says whether it would load.
    support: full
  diff_mode:
    description: Shows the rules that the kernel does not hold.
    support: full
  idempotent:
    description: A second run finds all rules loaded.
    support: full
"""

EXAMPLES = r"""
- name: The kernel holds the rules
  rampart.fleet.audit_rules:
    rules: "{{ lookup('ansible.builtin.template', 'etc/audit/rules.d/50-rampart.rules.j2') }}"
"""

RETURN = r"""
missing:
  description: The rules and settings that the kernel did not hold before.
  returned: always
  type: list
  elements: str
  sample: ["-w /etc/passwd -p wa -k identity"]
locked:
  description: Whether rules are missing that only a reboot can load.
  returned: always
  type: bool
  sample: false
reason:
  description: Why nothing could be loaded; empty otherwise.
  returned: always
  type: str
  sample: ""
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rampart.fleet.plugins.module_utils import audit_rules


def main() -> None:
    """Ask the kernel, load what is missing, ask again."""
    module = AnsibleModule({"rules": {"type": "str", "required": True}}, supports_check_mode=True)
    wanted = module.params["rules"]
    missing, locked = _compare(module, wanted)
    reason = ""
    if missing and locked:
        reason = f"{len(missing)} audit rules are new, and the kernel's rules are locked until the next boot (-e 2)"
    elif missing and not module.check_mode:
        _load(module, wanted)
    module.exit_json(
        changed=bool(missing) and not locked,
        missing=missing,
        locked=bool(reason),
        reason=reason,
        diff={"before": "", "after": "".join(f"{line}\n" for line in missing)},
    )


def _compare(module: AnsibleModule, wanted: str) -> tuple[list[str], bool]:
    """Return what the kernel does not hold, and whether its rules are locked; all while auditctl is not there yet."""
    if module.check_mode and not module.get_bin_path("auditctl"):
        return audit_rules.missing(wanted, ""), False
    status = audit_rules.parse_status(module.run_command(["auditctl", "-s"], check_rc=True)[1])
    loaded = module.run_command(["auditctl", "-l"], check_rc=True)[1]
    settings = audit_rules.wanted_status(wanted).items()
    differing = [f"{name} {value} (found {status.get(name)})" for name, value in settings if status.get(name) != value]
    return audit_rules.missing(wanted, loaded) + differing, status.get("enabled") == 2


def _load(module: AnsibleModule, wanted: str) -> None:
    rc, out, err = module.run_command(["augenrules", "--load"])
    left, _locked = _compare(module, wanted)
    if rc != 0 or left:
        module.fail_json(
            msg=f"augenrules --load ended with {rc}, wanted 0; the kernel does not hold {left or 'the last rules'}. "
            f"It said: {(err or out).strip()[-600:]}. Correct the rule; those after a bad one are not loaded either."
        )


if __name__ == "__main__":
    main()
