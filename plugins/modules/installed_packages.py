#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Module rampart.fleet.installed_packages: the names that dpkg has, and whether apt knows any, read in a moment."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: installed_packages
short_description: Tell which packages a host has
version_added: 0.1.0
author: The Rampart authors (@rampart-fleet)
description:
  - Reads the database of dpkg, so that a role whose packages are all there need not start apt, which takes a second.
options: {}
extends_documentation_fragment: [rampart.fleet.attributes.read_only]
"""

EXAMPLES = r"""
- name: The packages of the host are known
  rampart.fleet.installed_packages:
  register: rampart_installed

- name: The filter's tools are installed
  ansible.builtin.apt:
    name: nftables
  when: "'nftables' not in rampart_installed.packages | default([], true)"
"""

RETURN = r"""
packages:
  description:
    - Names of the installed packages.
    - Null when names alone do not tell, and apt has to. There is no database of dpkg, an installation stopped half-way,
      or packages of several architectures are installed.
  returned: always
  type: list
  elements: str
  sample: [apt, base-files, nftables]
lists:
  description: Whether apt has lists of the packages there are. Without, it knows of no update.
  returned: always
  type: bool
  sample: true
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rampart.fleet.plugins.module_utils.installed_packages import installed_packages
from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import LocalHost
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.apt_pending import package_lists


def main() -> None:
    """Read, and return the names."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    host = LocalHost()
    module.exit_json(changed=False, packages=installed_packages(host), lists=bool(package_lists(host)))


if __name__ == "__main__":
    main()
