#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Module rampart.fleet.systemd_reload: systemd re-reads its units, unless a running container would lose its GPU."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: systemd_reload
short_description: Let systemd read changed unit files, when no container loses its GPU by it
version_added: 0.1.0
author: The Rampart authors (@rampart-fleet)
description:
  - Runs C(systemctl daemon-reload) when a unit says C(NeedDaemonReload=yes), and only then.
  - Refuses while a container holds a GPU device open that neither CDI nor a link in C(/dev/char) makes known to
    systemd, because the reload would take the GPU away from it (NVIDIA/nvidia-container-toolkit#48).
  - A refusal is no failure. RV(refused) and RV(reason) say so, and the host takes the new units with its next reboot.
options:
  units:
    description: Look only at these units; all loaded units when empty.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Says whether it would reload.
    support: full
  diff_mode:
    description: There is no content to show.
    support: none
  idempotent:
    description: A second run finds all unit files read.
    support: full
"""

EXAMPLES = r"""
- name: Systemd knows the units of the host
  rampart.fleet.systemd_reload:
  register: __common_systemd_reload
"""

RETURN = r"""
refused:
  description: Whether a reload is needed but would break running containers.
  returned: always
  type: bool
  sample: false
reason:
  description: Why it reloaded, did not, or refused.
  returned: always
  type: str
  sample: systemd has read all unit files
stale_units:
  description: The units whose files changed since systemd read them.
  returned: always
  type: list
  elements: str
  sample: [systemd-journal-upload.service]
"""

import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rampart.fleet.plugins.module_utils import systemd_reload

_ADMINISTRATOR = "/etc/systemd/system"


def main() -> None:
    """Ask systemd and the processes, decide, and do it."""
    module = AnsibleModule({"units": {"type": "list", "elements": "str", "default": []}}, supports_check_mode=True)
    situation = _measure(module)
    decision = systemd_reload.decide(situation)
    if decision.action == "reload" and not module.check_mode:
        _reload(module)
    module.exit_json(
        changed=decision.action == "reload",
        refused=decision.action == "refuse",
        reason=decision.reason,
        stale_units=list(situation.stale_units),
    )


def _reload(module: AnsibleModule) -> None:
    module.run_command(["systemctl", "daemon-reload"], check_rc=True)
    left = _stale(module)
    if left:
        module.fail_json(
            msg="systemctl daemon-reload ended with 0, but systemd still has old unit files: found "
            + ", ".join(left)
            + ", wanted none. Run it again by hand and look at the journal of PID 1."
        )


def _measure(module: AnsibleModule) -> systemd_reload.Situation:
    processes = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
    devices = [path for path in sorted(Path("/dev").glob("nvidia*")) if systemd_reload.is_gpu_device(str(path))]
    return systemd_reload.Situation(
        stale_units=_stale(module),
        gpu_containers=systemd_reload.gpu_containers(
            {int(path.name): _cgroup(path) for path in processes},
            {int(path.name): _open_files(path) for path in processes},
        ),
        unlinked_devices=[str(path) for path in devices if not _linked(path)],
        cdi=any(list(Path(folder).glob("*nvidia*")) for folder in ("/etc/cdi", "/run/cdi")),
    )


def _stale(module: AnsibleModule) -> list[str]:
    # The pattern knows units in memory only, and what is stopped is not there: those of the administrator are named.
    own = systemd_reload.named_units(path.name for path in Path(_ADMINISTRATOR).iterdir())
    units = module.params["units"] or ["*", *own]
    argv = ["systemctl", "show", "--property=Id,NeedDaemonReload", "--", *units]
    return systemd_reload.stale_units(module.run_command(argv, check_rc=True)[1])


def _cgroup(process: Path) -> str:
    try:
        return (process / "cgroup").read_text(encoding="utf-8", errors="replace")
    except OSError:  # the process ended meanwhile
        return ""


def _open_files(process: Path) -> list[str]:
    files = []
    try:
        for descriptor in (process / "fd").iterdir():
            files.append(os.readlink(descriptor))  # noqa: PTH115  Path.readlink would make "pipe:[1]" a path
    except OSError:  # the process ended meanwhile
        return files
    return files


def _linked(device: Path) -> bool:
    number = device.stat().st_rdev
    return Path(f"/dev/char/{os.major(number)}:{os.minor(number)}").exists()


if __name__ == "__main__":
    main()
