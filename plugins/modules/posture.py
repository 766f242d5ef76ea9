#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Measures a host: hands the probes that it is asked for to the engine, and returns what they observed."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: posture
short_description: Measure a host's controls once and judge them on the controller
version_added: 0.1.0
description:
  - Gathers the controls of the host's roles, measures on the host everything that they need in one invocation, and
    judges on the controller. Nothing is changed on the host, with or without check mode.
  - Writes C(<report_dir>/hosts/<host>.json) on the controller (mode 0600) with every observation and result, and
    returns a short result. M(rampart.fleet.posture_report) makes a report of these files.
  - A probe that fails gives the state V(error), one that runs out of time V(unknown); neither counts as a pass, and
    neither stops the others.
author:
  - Rampart authors (@rampart-fleet)
extends_documentation_fragment:
  - rampart.fleet.measurement
  - rampart.fleet.attributes
options:
  mode:
    description:
      - The workload mode that the host is in, which decides what is expected of it.
      - Without it, the host's variable C(rampart_mode).
    type: str
    choices: [inference, training, idle, quarantine]
  run_id:
    description: Name of the run, the same for all of its hosts. Without it, the time at which the host was measured.
    type: str
  report_dir:
    description: Folder on the controller under which the host's file is written.
    type: path
    default: report
  waivers:
    description: Files on the controller with written exceptions. A file that cannot be read or understood is an error.
    type: list
    elements: path
    default: []
  timeout_s:
    description:
      - Time in seconds for all probes of the host together. What is not measured by then is V(unknown).
      - It holds for a normal host. On one that starts processes slower, such as an emulated machine, this and the limit
        of each probe are longer by as much, ten times at most.
    type: float
    default: 60
  parameters:
    description:
      - What this site expects otherwise than the controls do, parameters and their values by control id. Only
        parameters that a control declares can be set, within their limits; the report prints each that differs.
    type: dict
    default: {}
  vantage:
    description:
      - What another host observed of this one, by observation key. Controls that look from outside are not applicable
        without it.
    type: dict
    default: {}
  points:
    description:
      - Hosts of the inventory that may look at this one from outside while it is measured, the next one when one does
        not answer; with an empty list the controller looks, if nothing stands between it and the host. Without it
        nobody looks.
    type: list
    elements: str
seealso:
  - module: rampart.fleet.posture_report
"""

EXAMPLES = r"""
- name: The host is measured
  rampart.fleet.posture:
    report_dir: "{{ playbook_dir }}/report"
    waivers: ["{{ inventory_dir }}/waivers.yml"]

- name: Only the way in is measured
  rampart.fleet.posture:
    roles: [ssh_server, firewall]
    mode: inference
    areas: [SSH]
"""

RETURN = r"""
score:
  description: Weighted share of passes among passes and failures, in percent; null when nothing was decided.
  returned: when measured
  type: float
  sample: 93.5
coverage:
  description: Share of the applicable controls that were decided, in percent; null when none is applicable.
  returned: when measured
  type: float
  sample: 98.1
counts:
  description: Number of controls in each state that occurs.
  returned: when measured
  type: dict
  sample: {pass: 96, fail: 2, not_applicable: 12}
failures:
  description: One line for each control that fails or could not be decided, the gravest first, at most 20.
  returned: when measured
  type: list
  elements: str
  sample: ["RMP-SSH-003 high fail: permitrootlogin = yes, wanted permitrootlogin is one of [no, prohibit-password]"]
summary:
  description: The figures as one sentence.
  returned: when measured
  type: str
  sample: "gpu1: score 93.5, coverage 98.1, 96 pass, 2 fail, 12 not_applicable"
evidence:
  description: The file on the controller that holds all observations and results.
  returned: always
  type: str
  sample: /srv/fleet/report/hosts/gpu1.json
"""

import json
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import LocalHost
from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import Request, measure
from ansible_collections.rampart.fleet.plugins.module_utils.posture.pace import pace
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes import kinds


def main() -> None:
    """Measure what was asked for; the controller judges."""
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
            "timeout_s": {"type": "float", "default": 60.0},
            # The action takes these; they are here so that the documentation and the specification agree.
            "roles": {"type": "list", "elements": "str"},
            "mode": {"type": "str", "choices": ["inference", "training", "idle", "quarantine"]},
            "run_id": {"type": "str"},
            "report_dir": {"type": "path", "default": "report"},
            "waivers": {"type": "list", "elements": "path", "default": []},
            "ids": {"type": "list", "elements": "str", "default": []},
            "areas": {"type": "list", "elements": "str", "default": []},
            "catalogue_paths": {"type": "list", "elements": "path"},
            "parameters": {"type": "dict", "default": {}},
            "vantage": {"type": "dict", "default": {}},
            "points": {"type": "list", "elements": "str"},
        },
        supports_check_mode=True,
    )
    requests = [Request(one["key"], one["kind"], one["params"], one["timeout_s"]) for one in module.params["probes"]]
    host = LocalHost(pace=pace())
    observations = measure(host, requests, kinds(), host.stretched(module.params["timeout_s"]))
    # As text: looking through half a thousand values takes AnsibleModule ten times as long as writing them.
    told = json.dumps({key: found.to_json() for key, found in observations.items()})
    module.exit_json(changed=False, observations=told, clock=time.time())


if __name__ == "__main__":
    main()
