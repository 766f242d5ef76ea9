#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Module rampart.fleet.mount_options: restrict what is mounted, now, and read back."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mount_options
short_description: Restrict mounted file systems
version_added: 0.1.0
author: The Rampart authors (@rampart-fleet)
description:
  - Remounts mount points that lack an option, and reads the kernel's mount table back.
  - Only options that restrict are accepted, and none is taken away. A path that is no mount point is reported.
  - Changes the running system only; what is mounted at boot is the business of units and of C(/etc/fstab).
options:
  mounts:
    description: Options by mount point, of V(nosuid), V(nodev), V(noexec), V(ro) and C(hidepid=N).
    type: dict
    required: true
attributes:
  check_mode:
    description: Says what would change.
    support: full
  diff_mode:
    description: Shows the options before and after.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Nothing is executed from memory that everybody may write
  rampart.fleet.mount_options:
    mounts:
      /dev/shm: [nosuid, nodev, noexec]
"""

RETURN = r"""
actions:
  description: What was remounted, or would be.
  returned: always
  type: list
  elements: dict
  sample: [{path: /dev/shm, add: [noexec]}]
left_out:
  description: Paths that are no mount points.
  returned: always
  type: list
  elements: dict
  sample: [{path: /tmp, reason: /tmp is no mount point of its own}]
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rampart.fleet.plugins.module_utils.mounts.plan import MountError, Plan, check, decide

MOUNTINFO = "/proc/self/mountinfo"


def read() -> str:
    """Return the kernel's mount table."""
    return Path(MOUNTINFO).read_text(encoding="utf-8", errors="replace")


def remount(module: AnsibleModule, plan: Plan) -> None:
    """Carry out the plan; fail with what mount said when it refuses."""
    for step in plan.remounts:
        command = ["mount", "-o", ",".join(["remount", *step.add]), step.path]
        rc, _out, err = module.run_command(command, environ_update={"LC_ALL": "C"})
        if rc != 0:
            module.fail_json(msg=f"'{' '.join(command)}' ended with status {rc}, wanted 0: {err.strip()}")


def main() -> None:
    """Read the arguments, decide, do, read back, and report."""
    module = AnsibleModule(argument_spec={"mounts": {"type": "dict", "required": True}}, supports_check_mode=True)
    wanted = module.params["mounts"]
    try:
        check(wanted)
    except MountError as error:
        module.fail_json(msg=f"Nothing was remounted. {error}")
    plan = decide(wanted, read())
    if plan.remounts and not module.check_mode:
        remount(module, plan)
        left = decide(wanted, read()).remounts
        if left:
            lost = "; ".join(f"{step.path} has no {','.join(step.add)}" for step in left)
            module.fail_json(msg=f"mount said that all is well, but in {MOUNTINFO} {lost}")
    module.exit_json(
        changed=bool(plan.remounts),
        actions=[{"path": step.path, "add": list(step.add)} for step in plan.remounts],
        left_out=plan.skipped,
        diff=[
            {
                "before_header": step.path,
                "after_header": step.path,
                "before": ",".join(step.before) + "\n",
                "after": ",".join([*step.before, *step.add]) + "\n",
            }
            for step in plan.remounts
        ],
    )


if __name__ == "__main__":
    main()
