#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Looks at one host from another: hands the requests to the kinds of vantage, and returns what they saw."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: posture_vantage
short_description: Look at a host from another host of the fleet
version_added: 0.2.0
description:
  - Measures what the controls of a host's roles want to know from outside (C(vantage=external)) and returns the
    observations, which M(rampart.fleet.posture) takes by its option O(rampart.fleet.posture#module:vantage). A host
    that an attacker owns can lie about itself; it cannot lie about what it answers to others.
  - The task's C(delegate_to) names the host that looks. It needs Python and no privileges; with C(ssh) and C(ping) it
    sees more. It opens a bounded number of connections to the target and to nothing else, and sends no credential.
  - Without O(point) the controller looks, if its ssh goes to the target without a proxy; if not, every observation is
    absent and says why.
  - Logins with the operator's key are tried from the controller in any case, over the way that Ansible takes.
author:
  - Rampart authors (@rampart-fleet)
extends_documentation_fragment:
  - rampart.fleet.measurement
  - rampart.fleet.attributes
options:
  point:
    description: Name of the host that looks, the task's C(delegate_to); empty when there is none.
    type: str
    default: ""
  target:
    description:
      - The host to look at, C(address) and C(ssh_port).
      - Without it, the host's variable C(posture_vantage_address), or C(ansible_host), or its name, and
        C(ansible_port), or 22.
    type: dict
  timeout_s:
    description: Time in seconds for all requests together. What is not measured by then is V(unknown).
    type: float
    default: 8
seealso:
  - module: rampart.fleet.posture
"""

EXAMPLES = r"""
- name: The host is looked at from another host
  rampart.fleet.posture_vantage:
    point: gpu2
  delegate_to: gpu2
  become: false
  register: rampart_seen

- name: The host is measured
  rampart.fleet.posture:
    vantage: "{{ rampart_seen.observations }}"
"""

RETURN = r"""
observations:
  description: What was seen, by observation key.
  returned: always
  type: dict
  sample: {"vantage:icmp": {status: ok, value: {echo: true}, reason: "", source: ping, ms: 3.1}}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import LocalHost
from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import Request
from ansible_collections.rampart.fleet.plugins.module_utils.posture.pace import pace
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.look import look


def main() -> None:
    """Look at the target as asked; the controller judges."""
    module = AnsibleModule(
        argument_spec={
            "probes": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "key": {"type": "str", "required": True, "no_log": False},
                    "kind": {"type": "str", "required": True},
                    "params": {"type": "dict", "default": {}},
                    "timeout_s": {"type": "float", "default": 5.0},
                },
            },
            "target": {"type": "dict"},
            "timeout_s": {"type": "float", "default": 8.0},
            # The action takes these; they are here so that the documentation and the specification agree.
            "roles": {"type": "list", "elements": "str"},
            "point": {"type": "str", "default": ""},
            "ids": {"type": "list", "elements": "str", "default": []},
            "areas": {"type": "list", "elements": "str", "default": []},
            "catalogue_paths": {"type": "list", "elements": "path"},
        },
        supports_check_mode=True,
    )
    given: dict[str, Any] = module.params
    requests = [Request(one["key"], one["kind"], one["params"], one["timeout_s"]) for one in given["probes"]]
    host = LocalHost(pace=pace())
    seen = look(host, requests, given["target"] or {}, host.stretched(given["timeout_s"]))
    module.exit_json(changed=False, observations={key: found.to_json() for key, found in seen.items()})


if __name__ == "__main__":
    main()
