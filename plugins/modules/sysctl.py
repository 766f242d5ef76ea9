#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Module rampart.fleet.sysctl: one file of kernel parameters, applied at once and read back."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sysctl
short_description: Set many kernel parameters at once and read them back
version_added: 0.1.0
author: The Rampart authors (@rampart-fleet)
description:
  - Writes one file of C(sysctl.d), sets what differs in the running kernel, and reads the values back.
  - A parameter that this kernel does not have, or that cannot be written here, stands in the file and is reported in
    RV(left_out) with the reason. In a container only parameters that the container has for itself are set.
  - When the kernel refuses a value, the former values and the former file are put back and the module fails.
  - Other files that will set a parameter otherwise at the next boot are reported in RV(overridden).
options:
  settings:
    description:
      - Parameters and their values. A key may hold shell patterns, which boot expands as well, such as
        C(net.ipv4.conf.*.accept_redirects); an exact key beats every pattern.
    type: dict
    required: true
  path:
    description:
      - The file, which belongs to this module as a whole.
      - The name makes boot read it after the files of packages, such as C(99-protect-links.conf) of procps.
    type: path
    default: /etc/sysctl.d/99-rampart.conf
attributes:
  check_mode:
    description: Says what would change.
    support: full
  diff_mode:
    description: Shows the file and the values of the kernel before and after.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Kernel addresses stay in the kernel and no interface takes redirects
  rampart.fleet.sysctl:
    settings:
      kernel.kptr_restrict: 2
      net.ipv4.conf.*.accept_redirects: 0
"""

RETURN = r"""
actions:
  description: What was done, or would be done. C(write) is the file, C(set) a parameter.
  returned: always
  type: list
  elements: dict
  sample: [{action: set, key: kernel.kptr_restrict, before: "0", after: "2"}]
left_out:
  description: Parameters that could not be set in the running kernel and have another value, with the reason.
  returned: always
  type: list
  elements: dict
  sample: [{key: kernel.kptr_restrict, wanted: "2", found: "0", reason: the kernel is shared}]
overridden:
  description: Parameters that another file will set otherwise at the next boot.
  returned: always
  type: list
  elements: dict
  sample: [{key: kernel.kptr_restrict, file: /etc/sysctl.d/99-site.conf, value: "0", wanted: "2"}]
reboot_reasons:
  description: Parameters whose present value the kernel keeps until it boots, as sentences.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rampart.fleet.plugins.module_utils.file_set.plan import Action, Obstacle, decide, diff_of
from ansible_collections.rampart.fleet.plugins.module_utils.file_set.spec import FileSpec
from ansible_collections.rampart.fleet.plugins.module_utils.file_set.transaction import Transaction, look
from ansible_collections.rampart.fleet.plugins.module_utils.sysctl import plan as kernel_plan
from ansible_collections.rampart.fleet.plugins.module_utils.sysctl.boot import overridden
from ansible_collections.rampart.fleet.plugins.module_utils.sysctl.keys import (
    SettingError,
    dotted,
    settings_of,
    spelled_out,
)
from ansible_collections.rampart.fleet.plugins.module_utils.sysctl.local import ProcSys, sysctl_files

HEADER = "# Written by rampart.fleet.sysctl as a whole: set variables of the role, not this file.\n"


def in_container(module: AnsibleModule) -> bool:
    """Say whether the kernel belongs to somebody else."""
    rc, _out, _err = module.run_command(["systemd-detect-virt", "--container", "--quiet"])
    return bool(rc == 0)


def render(settings: dict[str, str]) -> str:
    """Return the text of the file, in the order of the keys."""
    return HEADER + "".join(f"{dotted(key)} = {value}\n" for key, value in sorted(spelled_out(settings).items()))


def told(plan: kernel_plan.Plan, file: list[Action]) -> list[dict[str, str]]:
    """Return the actions as the module reports them."""
    written = [{"action": "write", "path": action.spec.path} for action in file]
    values = [{"action": "set", "key": dotted(c.key), "before": c.before, "after": c.after} for c in plan.changes]
    return written + values


def diff(plan: kernel_plan.Plan, file: list[Action]) -> list[dict[str, str]]:
    """Return the file and the values of the kernel before and after."""
    if not plan.changes:
        return diff_of(file)
    values = {"before_header": "/proc/sys", "after_header": "/proc/sys"}
    values["before"] = "".join(f"{dotted(c.key)} = {c.before}\n" for c in plan.changes)
    values["after"] = "".join(f"{dotted(c.key)} = {c.after}\n" for c in plan.changes)
    return [*diff_of(file), values]


def warn(module: AnsibleModule, conflicts: list[dict[str, str]]) -> None:
    """Tell people about files that win over ours."""
    for conflict in conflicts:
        text = "{file} will set {key} to {value} at the next boot, wanted {wanted}: take the line out of that file"
        module.warn(text.format(**conflict))


def main() -> None:
    """Read the arguments, decide, do, and report."""
    module = AnsibleModule(
        argument_spec={
            "settings": {"type": "dict", "required": True},
            "path": {"type": "path", "default": "/etc/sysctl.d/99-rampart.conf"},
        },
        supports_check_mode=True,
    )
    kernel, path = ProcSys(), module.params["path"]
    try:
        settings = settings_of(module.params["settings"])
        spec = FileSpec(path, "present", render(settings), 0, 0, 0o644)
        action = decide(spec, look(path, read=True))
        file = [action] if action else []
        plan = kernel_plan.decide(settings, kernel, in_container(module))
        if not module.check_mode:
            Transaction(file, lambda _spec, _staged: None).run(lambda: kernel_plan.apply(plan, kernel))
    except (SettingError, Obstacle, kernel_plan.KernelRefused, OSError) as error:
        module.fail_json(msg=f"Nothing was set. {error}")
    conflicts = overridden(plan.wanted, sysctl_files(instead=(path, spec.content)))
    warn(module, conflicts)
    module.exit_json(
        changed=bool(file or plan.changes),
        actions=told(plan, file),
        diff=diff(plan, file),
        left_out=plan.skipped,
        overridden=conflicts,
        reboot_reasons=[
            "sysctl {key} is {found} until the next boot, wanted {wanted}".format(**entry) for entry in plan.reboot
        ],
    )


if __name__ == "__main__":
    main()
