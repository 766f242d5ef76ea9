#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Module rampart.fleet.gpu_info: what the drivers of a host's GPUs say, as typed values."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: gpu_info
short_description: Read what the drivers of a host's GPUs say
version_added: 0.2.0
author: The Rampart authors (@rampart-fleet)
description:
  - Asks C(nvidia-smi) (formats 11, 12 and 13 of its XML) and C(amd-smi), reads C(/proc/driver/nvidia) and the error
    reports (Xid) in the journal.
  - Values have types, and units in their names. One that is not there is C({unavailable, text}) with the reason
    V(not_supported), V(mig) (a divided GPU does not tell it), V(deprecated), V(not_reported) (this version of the tool
    does not have it), V(error) or V(not_understood); it is never 0 and never false.
  - A host without a GPU is no failure. A GPU whose driver does not answer is one, with what its tool said.
options:
  timeout_s:
    description: Time in seconds for all questions together; a driver that hangs is a failure.
    type: float
    default: 60
  xid_hours:
    description: How many hours of error reports are returned.
    type: int
    default: 24
  diagnostics:
    description:
      - Whether C(dcgmi diag -r 1) runs, the first level of the vendor's diagnostics, which takes seconds and looks at
        the installation only.
    type: bool
    default: false
extends_documentation_fragment: [rampart.fleet.attributes.read_only]
"""

EXAMPLES = r"""
- name: The GPUs of the host are known
  rampart.fleet.gpu_info:
  register: training_gpus

- name: The host has eight GPUs
  ansible.builtin.assert:
    that: training_gpus.nvidia.gpus | length == 8
"""

RETURN = r"""
nvidia:
  description:
    - The NVIDIA GPUs and their driver; null on a host without one.
    - C(lost) are PCI addresses of GPUs that are on the bus and that the driver does not tell of, C(notes) what the tool
      printed beside its answer.
  returned: always
  type: dict
  sample:
    driver: 580.159.03
    cuda: "13.0"
    format: 13
    lost: []
    notes: []
    gpus:
      - bus_id: "00000000:1B:00.0"
        product: NVIDIA H200
        memory_total_mib: 143771
        ecc: {enabled: true, enabled_after_reset: true, volatile_dram_uncorrectable: 0}
        remapped_rows: {pending: {unavailable: mig, text: N/A}}
        pcie: {generation: 5, lanes: 16, lanes_max: 16}
        power: {draw_w: 78.21, limit_w: 700.0}
    nvlinks:
      - index: 0
        links: [{index: 0, speed_gb_s: 26.562}]
    kernel_module: {version: 580.159.03, open: true, params: {RmProfilingAdminOnly: 1}}
    xids: [{number: 79, device: "0000:1b:00", text: "GPU has fallen off the bus.", category: bus}]
    diagnostics: null
amd:
  description: The AMD GPUs; null on a host without one.
  returned: always
  type: dict
  sample: null
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.gather import gather
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError, ProbeTimeout
from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import LocalHost
from ansible_collections.rampart.fleet.plugins.module_utils.posture.pace import pace


def main() -> None:
    """Ask, and return the facts."""
    module = AnsibleModule(
        argument_spec={
            "timeout_s": {"type": "float", "default": 60.0},
            "xid_hours": {"type": "int", "default": 24},
            "diagnostics": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    host = LocalHost(pace=pace())
    deadline = time.monotonic() + host.stretched(module.params["timeout_s"])
    try:
        facts = gather(host.until(deadline), module.params["xid_hours"], module.params["diagnostics"])
    except (ProbeError, ProbeTimeout) as error:
        module.fail_json(msg=f"The GPUs of this host cannot be told: {error}")
    module.exit_json(changed=False, **facts)


if __name__ == "__main__":
    main()
