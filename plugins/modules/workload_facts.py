#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Module rampart.fleet.workload_facts: what a host carries, as the fact rampart_workload."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: workload_facts
short_description: Measure which workloads a host can carry
version_added: 0.1.0
author: The Rampart authors (@rampart-fleet)
description:
  - Finds GPUs, RDMA devices with their network interfaces, container runtimes, and containers that hold a GPU open.
  - Roles and controls decide by this fact where hardening must give way to a workload.
options: {}
extends_documentation_fragment: [rampart.fleet.attributes.read_only]
attributes:
  facts:
    description: Returns a fact.
    support: full
"""

EXAMPLES = r"""
- name: The workload of the host is known
  rampart.fleet.workload_facts:
"""

RETURN = r"""
ansible_facts:
  description: The fact.
  returned: always
  type: dict
  contains:
    rampart_workload:
      description: What the host carries.
      type: dict
      contains:
        gpu:
          description: Vendors of GPUs, of nvidia and amd.
          type: list
          elements: str
        rdma:
          description: RDMA devices.
          type: list
          elements: str
        rdma_netdevs:
          description: Network interfaces of the RDMA devices.
          type: list
          elements: str
        container_runtime:
          description: Container runtimes, of docker, containerd, crio, podman and enroot.
          type: list
          elements: str
        rootless_runtime:
          description: Container runtimes that people use without being root, of podman and enroot.
          type: list
          elements: str
        gpu_containers_running:
          description: Whether a process in a container holds a GPU device open.
          type: bool
        overlay_mounts:
          description: Whether an overlay is mounted, such as the root of a diskless node.
          type: bool
        router_netdevs:
          description: Network interfaces whose IPv6 default route the kernel learned from a router.
          type: list
          elements: str
        modules:
          description: Loaded kernel modules.
          type: list
          elements: str
        foreign_modules:
          description: Loaded kernel modules that are proprietary, out of tree, or unsigned.
          type: list
          elements: str
        kdump:
          description: Whether memory is kept for a kernel that looks at a crash.
          type: bool
      sample:
        gpu: [nvidia]
        rdma: [mlx5_0]
        rdma_netdevs: [enp65s0np0]
        container_runtime: [containerd]
        rootless_runtime: []
        gpu_containers_running: true
        overlay_mounts: true
        router_netdevs: []
        modules: [nvidia, nvme]
        foreign_modules: [nvidia]
        kdump: false
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import LocalHost
from ansible_collections.rampart.fleet.plugins.module_utils.workload.facts import measure


def main() -> None:
    """Measure, and return the fact."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    try:
        workload = measure(LocalHost())
    except ProbeError as error:
        module.fail_json(msg=f"The workload of this host cannot be told: {error}")
    module.exit_json(changed=False, ansible_facts={"rampart_workload": workload})


if __name__ == "__main__":
    main()
