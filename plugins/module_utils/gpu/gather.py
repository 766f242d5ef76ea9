# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""All facts of a host's GPUs in one mapping, as the module gpu_info returns them."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.gpu.ask import (
    amd_gpus,
    diagnose,
    lost_on_bus,
    nvlinks,
    smi_log,
    with_inforom,
    xid_events,
)
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.proc_driver import (
    is_open_module,
    parse_params,
    parse_version,
)
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.values import ParseError, plain
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.workload.facts import has_gpu

PARAMS, VERSION = "/proc/driver/nvidia/params", "/proc/driver/nvidia/version"
_DIAG_S = 120.0


def gather(host: Host, xid_hours: int, diagnostics: bool) -> dict[str, Any]:
    """Return {nvidia, amd}, each null on a host without such a GPU.

    ProbeError when there is a GPU and its driver does not answer, or not in a way that can be understood.
    """
    return {
        "nvidia": _nvidia(host, xid_hours, diagnostics) if has_gpu(host, "nvidia") else None,
        "amd": {"gpus": plain(amd_gpus(host))} if has_gpu(host, "amd") else None,
    }


def _nvidia(host: Host, xid_hours: int, diagnostics: bool) -> dict[str, Any]:
    log = smi_log(host)
    return {
        "driver": plain(log.driver),
        "cuda": plain(log.cuda),
        "format": log.dtd,
        "notes": list(log.notes),
        "lost": lost_on_bus(host),
        "gpus": plain(with_inforom(host, log.gpus)),
        "nvlinks": plain(nvlinks(host)),
        "kernel_module": _kernel_module(host),
        "xids": _xids(host, xid_hours),
        "diagnostics": plain(diagnose(host, 1, _DIAG_S)) if diagnostics else None,
    }


def _kernel_module(host: Host) -> dict[str, Any]:
    try:
        text = host.read_text(VERSION)
        params = parse_params(host.read_text(PARAMS))
        return {"version": parse_version(text), "open": is_open_module(text), "params": params}
    except Absent as absent:
        return {"unavailable": "not_supported", "text": str(absent)}
    except (ParseError, ProbeError) as error:
        return {"unavailable": "not_understood", "text": str(error)}


def _xids(host: Host, hours: int) -> Any:
    try:
        return [{**plain(event), "category": event.category} for event in xid_events(host, hours)]
    except Absent as absent:
        return {"unavailable": "not_supported", "text": str(absent)}
    except ProbeError as error:
        return {"unavailable": "error", "text": str(error)}
