#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of rampart.fleet.preflight, whose code is the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: preflight
short_description: Check the inventory of a host before anything is done to it
version_added: 0.1.0
author: The Rampart authors (@rampart-fleet)
description:
  - Fails a host whose inventory cannot be meant as it is written, and only that host.
  - Checked are C(rampart_mode); the host's roles; every variable with the prefix of a role, for its name and its type
    as the role's C(argument_specs) have them; C(posture_fail_on); and the files of waivers.
  - Each problem names what is wrong and in which file and line, the value found, the value wanted, and the nearest
    right name.
  - Runs on the controller and connects to nothing.
options:
  roles:
    description: The roles of the host, as in C(rampart_roles).
    type: list
    elements: str
    required: true
  fail_on:
    description: The lowest severity that fails a run, as in C(posture_fail_on).
    type: str
    default: high
  waivers:
    description: Files of waivers.
    type: list
    elements: path
    default: []
  expired_waivers:
    description:
      - Whether an expired waiver of the host is an error or a warning.
      - A measurement warns, since it judges the control as if there were no waiver; it must not stop for a date.
    type: str
    choices: [fail, warn]
    default: fail
extends_documentation_fragment: [rampart.fleet.attributes.read_only]
"""

EXAMPLES = r"""
- name: The inventory is understood
  rampart.fleet.preflight:
    roles: "{{ rampart_roles }}"
    fail_on: "{{ posture_fail_on | default('high') }}"
"""

RETURN = r"""
msg:
  description: What is wrong, one line for each problem.
  returned: failure
  type: str
  sample: |-
    The inventory of host gpu1 cannot be used, and nothing was done to the host:
      - variable ssh_server_prot (hosts.yml:4:1): found the value 2222, wanted a variable of role ssh_server.
        Did you mean 'ssh_server_port'?
"""
