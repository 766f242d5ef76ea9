#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Module rampart.fleet.audit_subjects: what audit rules can name on this host, such as its set-id programs."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: audit_subjects
short_description: Find what audit rules can name on a host
version_added: 0.2.0
author: The Rampart authors (@rampart-fleet)
description:
  - Expands patterns of paths, and leaves out paths whose folder does not exist, because auditctl refuses those
    and loads none of the rules behind them.
  - Finds the programs with a set-user-id or set-group-id bit by a walk that is bounded in time and enters local file
    systems only. When there is no time for all, those of C(/usr) and C(/opt).
  - Says by which arches the kernel takes system calls, and which calls it never had.
options:
  watch:
    description: Absolute paths, or shell patterns of such.
    type: list
    elements: str
    required: true
extends_documentation_fragment: [rampart.fleet.attributes.read_only]
"""

EXAMPLES = r"""
- name: What the rules can name is known
  rampart.fleet.audit_subjects:
    watch: [/etc/cdi, "/dev/nvidia[0-9]*"]
  register: __audit_logging_subjects
"""

RETURN = r"""
watch:
  description: For each item of O(watch) the paths that rules can name, sorted; none where the folder does not exist.
  returned: always
  type: dict
  sample: {/etc/cdi: [/etc/cdi], "/dev/nvidia[0-9]*": [/dev/nvidia0, /dev/nvidia1]}
privileged:
  description: Programs that run with the rights of their owner or group, sorted.
  returned: always
  type: list
  elements: str
  sample: [/usr/bin/passwd, /usr/bin/sudo]
arches:
  description: The arches by which this kernel takes system calls.
  returned: always
  type: list
  elements: str
  sample: [b64, b32]
unknown_calls:
  description: By arch, the system calls that this architecture never had.
  returned: always
  type: dict
  sample: {b64: [], b32: [kexec_file_load, kexec_load]}
"""

import os
import posixpath

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rampart.fleet.plugins.module_utils import audit_rules
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError, ProbeTimeout
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import LocalHost
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.file_search import file_search


def main() -> None:
    """Look, and return what was found."""
    module = AnsibleModule({"watch": {"type": "list", "elements": "str", "required": True}}, supports_check_mode=True)
    host = LocalHost()
    machine = os.uname().machine
    try:
        module.exit_json(
            changed=False,
            watch={path: watchable(host, path) for path in module.params["watch"]},
            privileged=privileged(host),
            arches=audit_rules.arches(machine),
            unknown_calls=audit_rules.unknown_calls(machine),
        )
    except (ProbeError, ProbeTimeout) as error:
        module.fail_json(msg=f"What audit rules can name on this host cannot be told: {error}")


def watchable(host: Host, path: str) -> list[str]:
    """Return the paths that a rule can name for a path or pattern."""
    if any(mark in path for mark in "*?["):
        return host.glob(path)
    return [path] if host.exists(posixpath.dirname(path.rstrip("/"))) else []


def privileged(host: Host) -> list[str]:
    """Return the programs with a set-id bit; those of /usr and /opt only when the host is too large to walk."""
    found = file_search.measure(host, {"criteria": "suid_sgid"})
    if not found["complete"]:
        found = file_search.measure(host, {"criteria": "suid_sgid", "roots": ["/usr", "/opt"]})
    return list(found["matches"])


if __name__ == "__main__":
    main()
