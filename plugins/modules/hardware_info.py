#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Module rampart.fleet.hardware_info: what the hardware of a host is, with a reason for what nobody can tell."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hardware_info
short_description: Measure the hardware of a GPU server
version_added: 0.2.0
author: The Rampart authors (@rampart-fleet)
description:
  - Reads the tables of the firmware (SMBIOS), sysfs, EDAC, C(/proc/mdstat) and the configuration space of PCI bridges,
    and returns typed facts with units in their names. No package is needed for it.
  - What cannot be measured is null, and RV(hardware.not_measured) has the reason; nothing is guessed. Most of it needs
    root.
  - In a container the facts are those of the machine that carries it (RV(hardware.virtualisation)).
options:
  slow:
    description:
      - Whether to ask tools that start a service or talk to the management controller as well, where they are
        installed; C(nvme), C(ipmitool) and C(fwupdmgr). It takes seconds.
    type: bool
    default: false
extends_documentation_fragment: [rampart.fleet.attributes.read_only]
"""

EXAMPLES = r"""
- name: The hardware is known
  rampart.fleet.hardware_info:
  register: found

- name: Hosts with fewer GPUs than were bought are told
  ansible.builtin.debug:
    msg: "{{ inventory_hostname }} has {{ found.hardware.gpus | length }} GPUs"
  when: found.hardware.gpus | length < 8
"""

RETURN = r"""
hardware:
  description: The facts by section. A section that could not be measured is null.
  returned: success
  type: dict
  contains:
    virtualisation:
      description: C(kind) is V(baremetal), V(vm) or V(container); C(name) is what systemd-detect-virt says.
      type: dict
    identity:
      description: Maker and product of machine, board and firmware, without serial numbers.
      type: dict
    processor:
      description: Model, signature (family-model-stepping), sockets, cores, threads, threads that are offline, NUMA
        nodes, and microcode revisions.
      type: dict
    memory:
      description: Modules with size, widths, and whether they are registered; how the arrays correct errors; bytes
        installed, and bytes of the kernel.
      type: dict
    memory_controllers:
      description: Errors that EDAC has counted, by memory controller.
      type: list
      elements: dict
    storage:
      description: Disks with kind and size, and arrays of software RAID.
      type: dict
    gpus:
      description: Data-centre GPUs with model, link, NUMA node, IOMMU group, the bridges that lead to them, and errors
        of the bus.
      type: list
      elements: dict
    gpu_acs:
      description: By address of a bridge above a GPU, whether it sends traffic between devices through the root; null
        where it cannot.
      type: dict
    pci_devices:
      description: NVMe disks, RAID controllers, network adapters and FireWire ports, with what the GPUs have.
      type: list
      elements: dict
    ports:
      description: Network ports that are hardware, and their RDMA side, with speed in gigabits per second while there
        is a link.
      type: list
      elements: dict
    trust:
      description: UEFI, Secure Boot and its setup mode, lockdown, versions of TPMs, and modules that taint the kernel.
      type: dict
    nvme_health:
      description: What NVMe disks say of their health, with O(slow=true).
      type: list
      elements: dict
    management_channels:
      description: Channels of the management controller to networks, with O(slow=true).
      type: list
      elements: dict
    host_security:
      description: The Host Security ID of fwupd and what it lacks, with O(slow=true).
      type: dict
    not_measured:
      description: Why a section is null, by its name.
      type: dict
      sample: {"memory_controllers": "no memory controller is watched: /sys/devices/system/edac/mc has none (is a
        driver of EDAC loaded?)"}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.measure import measure
from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import LocalHost


def main() -> None:
    """Measure, and return the facts."""
    module = AnsibleModule(argument_spec={"slow": {"type": "bool", "default": False}}, supports_check_mode=True)
    module.exit_json(changed=False, hardware=measure(LocalHost(), module.params["slow"]))


if __name__ == "__main__":
    main()
