# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the drivers say of each GPU, a field at a time, so that a control's evidence is what it looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.gpu.amd_smi import AmdGpu
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.ask import (
    amd_gpus,
    inforom_checksums,
    lost_on_bus,
    nvlinks,
    require_amd,
    require_nvidia,
    smi_log,
)
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.confidential import parse_conf_compute
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.facts import Gpu
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.values import ParseError, Unavailable, plain
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError, ProbeTimeout
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_CC_S = 20.0


@probe("gpu_driver", optional=("vendor",), source="the {vendor} driver's tool; PCI devices")
def gpu_driver(host: Host, params: Params) -> dict[str, Any]:
    """Return {answers, reason, driver, gpus: number, lost: [PCI addresses that the driver does not tell of]}.

    `vendor` is nvidia (or left out) or amd. Absent without a GPU; a tool that is missing, fails, hangs or prints what
    cannot be understood is one that does not answer.
    """
    amd = _is_amd(params)
    (require_amd if amd else require_nvidia)(host)
    try:
        if amd:
            gpus = amd_gpus(host)
            return _answer(driver=plain(gpus[0].driver) if gpus else None, gpus=len(gpus))
        log = smi_log(host)
        return _answer(driver=plain(log.driver), gpus=len(log.gpus), lost=lost_on_bus(host))
    except ProbeError as error:
        return {**_answer(), "answers": False, "reason": str(error)}
    except ProbeTimeout as late:
        # What ended for want of time for all probes says nothing about the driver.
        if host.remaining() <= 0:
            raise
        return {**_answer(), "answers": False, "reason": str(late)}


@probe("gpu_field", required=("field",), optional=("vendor",), source="the {vendor} driver's tool: {field}")
def gpu_field(host: Host, params: Params) -> dict[str, Any]:
    """Return {gpus: [{id, value}], distinct: number of different values, silent: [{id, reason}]} of a field.

    `field` is a dotted path into the facts of gpu_info, or what is computed of them. GPUs that do not have the field
    are silent; Absent when all are. ProbeError when a GPU should tell and does not.
    """
    path = str(params["field"])
    found, silent = [], []
    for bus_id, value in _values(host, path, _is_amd(params)):
        if not isinstance(value, Unavailable):
            found.append({"id": bus_id, "value": value})
        elif value.is_fault:
            raise ProbeError(f"GPU {bus_id} does not tell {path}: {value}")
        else:
            silent.append({"id": bus_id, "reason": str(value)})
    if not found:
        reasons = sorted({each["reason"] for each in silent}) or ["the driver tells of no GPU"]
        raise Absent(f"no GPU tells {path}: {', '.join(reasons)}")
    return {"gpus": found, "distinct": len({str(each["value"]) for each in found}), "silent": silent}


@probe("gpu_silence", source="nvidia-smi -q -x")
def gpu_silence(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return [{id, fields: []}] of GPUs that do not tell what another one of their model and division tells."""
    gpus = smi_log(host).gpus
    kinds: dict[tuple[str, str], list[Gpu]] = {}
    for gpu in gpus:
        kinds.setdefault((str(gpu.product), str(gpu.mig.enabled)), []).append(gpu)
    found = []
    for alike in kinds.values():
        unsaid = {gpu.bus_id: _unsaid(gpu) for gpu in alike}
        common = set.intersection(*unsaid.values())
        found += [{"id": name, "fields": sorted(said - common)} for name, said in unsaid.items() if said - common]
    return found


@probe("gpu_nvlinks", source="nvidia-smi nvlink -s")
def gpu_nvlinks(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return [{id, links: number, inactive: [numbers]}] of GPUs that have NVLinks; Absent when none has.

    Of a GPU whose links are all down, every link that another one has is inactive.
    """
    told = nvlinks(host)
    most = max((len(each.links) for each in told if not isinstance(each.links, Unavailable)), default=0)
    found = []
    for each in told:
        if not isinstance(each.links, Unavailable):
            found.append({"id": each.uuid, "links": len(each.links), "inactive": list(each.inactive)})
        elif each.links.is_fault:
            found.append({"id": each.uuid, "links": most, "inactive": list(range(most)) or ["all"]})
    if not found:
        reasons = sorted({str(each.links) for each in told})
        raise Absent(f"no GPU has NVLinks: {', '.join(reasons) or 'the driver tells of no GPU'}")
    return found


@probe("gpu_processes", source="nvidia-smi -q -x; /proc/PID/cgroup")
def gpu_processes(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return [{id: pid, gpu, name, kind, cgroup}] of processes that use a GPU.

    `cgroup` is null for one that cannot be seen from here.
    """
    found = []
    for gpu in smi_log(host).gpus:
        for process in gpu.processes:
            if isinstance(process.pid, Unavailable):
                raise ProbeError(f"GPU {gpu.bus_id} does not tell the pid of a process: {process.pid}")
            cgroup = _cgroup(host, process.pid)
            told = {"gpu": gpu.bus_id, "name": plain(process.name), "kind": plain(process.kind)}
            found.append({"id": str(process.pid), **told, "cgroup": cgroup})
    return found


@probe("gpu_confidential", source="nvidia-smi conf-compute -f; nvidia-smi conf-compute -d")
def gpu_confidential(host: Host, params: Params) -> dict[str, str]:
    """Return {state: on or off, devtools: on or off} of confidential computing; Absent where GPUs do not have it."""
    require_nvidia(host)
    return {"state": _conf_compute(host, "-f"), "devtools": _conf_compute(host, "-d")}


def _conf_compute(host: Host, option: str) -> str:
    answer = host.run(["nvidia-smi", "conf-compute", option], timeout=_CC_S)
    try:
        return parse_conf_compute(answer.stdout)
    except ParseError as error:
        raise Absent(f"confidential computing is not there: {error}") from None


def _answer(driver: Any = None, gpus: int = 0, lost: Sequence[str] = ()) -> dict[str, Any]:
    return {"answers": True, "reason": "", "driver": driver, "gpus": gpus, "lost": list(lost)}


def _is_amd(params: Params) -> bool:
    vendor = params.get("vendor", "nvidia")
    if vendor not in ("nvidia", "amd"):
        raise ProbeError(f"the vendor is {vendor!r}, wanted nvidia or amd")
    return bool(vendor == "amd")


def _values(host: Host, path: str, amd: bool) -> list[tuple[str, Any]]:
    if amd:
        return [(str(plain(gpu.bus_id)), _at(gpu, path)) for gpu in amd_gpus(host)]
    gpus = smi_log(host).gpus
    if path == "inforom_checksum":
        known = inforom_checksums(host)
        return [(gpu.bus_id, known.get(gpu.bus_id, Unavailable("not_reported"))) for gpu in gpus]
    return [(gpu.bus_id, _at(gpu, path)) for gpu in gpus]


def _at(gpu: Gpu | AmdGpu, path: str) -> Any:
    value: Any = gpu
    for name in path.split("."):
        if not is_dataclass(value) or not hasattr(value, name):
            raise ProbeError(f"the facts of a GPU have no field '{path}'")
        value = getattr(value, name)
    return value


def _unsaid(facts: Any, prefix: str = "") -> set[str]:
    found = set()
    for each in fields(facts):
        value = getattr(facts, each.name)
        if isinstance(value, Unavailable):
            found.add(prefix + each.name)
        elif is_dataclass(value):
            found |= _unsaid(value, f"{prefix}{each.name}.")
    return found


def _cgroup(host: Host, pid: int) -> str | None:
    try:
        lines = host.read_text(f"/proc/{pid}/cgroup").splitlines()
    except Absent:
        return None
    # Version 2 of control groups has one line; of version 1 the longest path says most.
    return max((line.split(":", 2)[-1] for line in lines), key=len, default=None)
