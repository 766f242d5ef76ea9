# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The Ansible inventory of a lab, and the waivers that stand beside it. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import yaml

from rampart.lab.driver import Endpoint
from rampart.lab.identity import ssh_arguments
from rampart.lab.images import USER
from rampart.lab.plan import HostPlan, LabPlan
from rampart.lab.state import LabFolder
from rampart.lab.topology import GROUPS

_HEAD = "---\n# Written by `rampart lab up`; the next one writes it anew.\n"
# A lab is for a day or a test; `rampart lab up` writes the waivers anew.
_WAIVED_DAYS = 30


def render(plan: LabPlan, folder: LabFolder, endpoints: dict[str, Endpoint]) -> str:
    """YAML with the groups `rampart` (all hosts), `gpu`, `gateway`, `store` and `lab_<driver>`."""
    children: dict[str, Any] = {
        "rampart": {"hosts": {host.name: _variables(plan, host, endpoints[host.name]) for host in plan.hosts}},
        f"lab_{plan.driver}": {"hosts": {host.name: {} for host in plan.hosts}},
    }
    for group in GROUPS:
        children[group] = {"hosts": {host.name: {} for host in plan.hosts if group in host.spec.groups}}
    common = {
        "ansible_user": USER,
        "ansible_become": True,
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_common_args": ssh_arguments(folder),
        # `down` closes the connections that Ansible keeps open, so it must know where their sockets are.
        "ansible_control_path_dir": str(folder.control_sockets),
        "lab_name": plan.name,
        "lab_driver": plan.driver,
        "lab_release": plan.release,
        "lab_network": plan.network,
        "lab_controller": plan.controller,
    }
    if plan.driver == "qemu":
        # Emulated on a busy machine, sudo takes longer than the ten seconds that Ansible waits.
        common["ansible_ssh_timeout"] = 120
    text: str = yaml.safe_dump({"all": {"vars": common, "children": children}}, sort_keys=False)
    return _HEAD + text


def render_waivers(plan: LabPlan, today: date) -> str | None:
    """YAML of what no host of this lab can do; None when its hosts can do everything that is asked of them.

    Virtual machines have a clock of their own and, by design, no way to a time server.
    """
    if plan.driver != "qemu":
        return None
    waiver = {
        "control": "RMP-TIME-001",
        "hosts": [host.name for host in plan.hosts],
        "owner": "rampart lab",
        "reason": "the virtual machines of a lab reach nothing outside, so no time server",
        "ticket": "none: written by the lab itself",
        "compensating_control": "the clock of the machine that runs the lab, which the virtual machines follow",
        "created": today,
        "expires": today + timedelta(days=_WAIVED_DAYS),
    }
    text: str = yaml.safe_dump([waiver], sort_keys=False)
    return _HEAD + text


def _variables(plan: LabPlan, host: HostPlan, endpoint: Endpoint) -> dict[str, Any]:
    variables: dict[str, Any] = {
        "ansible_host": host.name if endpoint.proxy_command is None else endpoint.address,
        "rampart_mode": host.spec.mode,
        "lab_address": host.address,
        # Rules that name groups need addresses, and `ansible_host` is a name where a proxy is not used.
        "firewall_address": host.address,
        "lab_fqdn": host.fqdn,
    }
    if host.rails:
        rails = [{"index": r.index, "address": r.address, "prefix": r.prefix, "mac": r.mac} for r in host.rails]
        variables["lab_rails"] = rails
    return variables
