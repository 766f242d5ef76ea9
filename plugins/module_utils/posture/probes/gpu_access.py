# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Who may open the GPUs: their device files, and what the kernel module makes of them when it loads them again."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.gpu.ask import require_amd, require_nvidia
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.proc_driver import parse_params
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.values import ParseError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.files import described
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_PARAMS = "/proc/driver/nvidia/params"
_NODES = {
    "nvidia": (
        "/dev/nvidia[0-9]*",
        "/dev/nvidiactl",
        "/dev/nvidia-uvm",
        "/dev/nvidia-uvm-tools",
        "/dev/nvidia-modeset",
    ),
    "amd": ("/dev/kfd", "/dev/dri/renderD*"),
}


@probe("gpu_device_files", optional=("vendor",), source="stat of the device files")
def gpu_device_files(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return [{path, mode, owner, group}] of the device files of nvidia (or where `vendor` says so, amd) GPUs.

    Absent when there is none. Those of MIG instances (nvidia-caps) are not among them.
    """
    vendor = str(params.get("vendor", "nvidia"))
    if vendor not in _NODES:
        raise ProbeError(f"the vendor is {vendor!r}, wanted nvidia or amd")
    (require_amd if vendor == "amd" else require_nvidia)(host)
    paths = sorted({path for pattern in _NODES[vendor] for path in host.glob(pattern)})
    found = [one for one in described(host, paths) if one["type"] == "char"]
    if not found:
        raise Absent(f"no device file of a GPU is there ({', '.join(_NODES[vendor])})")
    return [{key: one[key] for key in ("path", "mode", "owner", "group")} for one in found]


@probe("gpu_driver_params", source="/proc/driver/nvidia/params")
def gpu_driver_params(host: Host, params: Params) -> dict[str, Any]:
    """Return {device_file_mode: "0660", device_file_group, profiling_admin_only} of the NVIDIA module that runs.

    The module, and nvidia-modprobe with the rights of root, make device files anew by these: a chmod does not last.
    """
    require_nvidia(host)
    try:
        told = parse_params(host.read_text(_PARAMS))
    except ParseError as error:
        raise ProbeError(str(error)) from None
    missing = [name for name in ("DeviceFileMode", "DeviceFileGID", "RmProfilingAdminOnly") if name not in told]
    if missing:
        raise ProbeError(f"{_PARAMS} does not tell {', '.join(missing)}")
    group = int(told["DeviceFileGID"])
    return {
        "device_file_mode": f"{int(told['DeviceFileMode']):04o}",
        "device_file_group": host.group_name(group) or str(group),
        "profiling_admin_only": told["RmProfilingAdminOnly"],
    }
