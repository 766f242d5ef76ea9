# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The versions of what drives the GPUs: whether they belong together, are kept, and have the fixes of the vendor."""

from __future__ import annotations

import re
import time
from datetime import date
from typing import Any, Callable

from ansible_collections.rampart.fleet.plugins.module_utils.gpu.ask import require_nvidia, smi_log
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.floors import standing, upstream
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.nvidia_bulletins import FLOORS, READ, SOURCE
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.proc_driver import parse_version
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.values import ParseError, Unavailable
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.package import installed, matching
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

# Names in the archives of NVIDIA, Debian and Ubuntu.
_PACKAGES = {
    "library": ["libnvidia-ml1", "libnvidia-compute", "libnvidia-compute-[0-9]*", "libnvidia-compute-*-server"],
    "fabric_manager": ["nvidia-fabricmanager", "nvidia-fabricmanager-[0-9]*"],
    "container_toolkit": ["nvidia-container-toolkit-base", "nvidia-container-toolkit"],
    "dcgm": ["datacenter-gpu-manager", "datacenter-gpu-manager-4-core"],
    "nccl": ["libnccl2"],
}
_VERSION_SET = [
    *("nvidia-driver*", "nvidia-open*", "nvidia-kernel-*", "nvidia-dkms*", "cuda-drivers*", "libnvidia-ml1"),
    *("libnvidia-compute*", "nvidia-fabricmanager*", "datacenter-gpu-manager*", "nvidia-container-toolkit*"),
    *("libnvidia-container*", "libnccl2"),
]
_DAY_S = 86_400


@probe("gpu_version", required=("member",), source="nvidia-smi -q -x; /proc/driver/nvidia/version; the dpkg database")
def gpu_version(host: Host, params: Params) -> dict[str, Any]:
    """Return {version, wanted, matches} of a member of the version set against the driver that runs.

    `member`: kernel_module, gsp (the firmware of every GPU), library, fabric_manager: the driver's version; nccl,
    dcgm_plugin: built for a CUDA of the driver's main version or an older one. Absent when it is not installed.
    """
    member = str(params["member"])
    if member not in _MEMBERS:
        raise ProbeError(f"'{member}' is no member of the version set, wanted one of {', '.join(sorted(_MEMBERS))}")
    require_nvidia(host)
    found, wanted, matches = _MEMBERS[member](host)
    return {"version": found, "wanted": wanted, "matches": matches}


@probe("gpu_packages", source="/var/lib/dpkg/status")
def gpu_packages(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return [{name, version, held}] of the packages that have to be of one version set; Absent when there is none."""
    require_nvidia(host)
    known = installed(host)
    names = matching(known, _VERSION_SET)
    if not names:
        raise Absent("no package of the driver is installed: it came in another way")
    return [{"name": name, "version": known[name]["version"], "held": known[name]["held"]} for name in names]


@probe("gpu_security", required=("product",), source="nvidia-smi -q -x or the dpkg database; bulletins of the vendor")
def gpu_security(host: Host, params: Params) -> dict[str, Any]:
    """Return {version, branch, fixed_in, open_bulletins: [], maintained, known} of driver, container_toolkit or dcgm.

    `maintained` says whether the newest bulletin of drivers names the branch, `known` whether any does. Absent when
    the product is not installed.
    """
    product = str(params["product"])
    if product not in FLOORS:
        raise ProbeError(f"no bulletin is of '{product}', wanted one of {', '.join(sorted(FLOORS))}")
    require_nvidia(host)
    version = _driver(host) if product == "driver" else _package(host, product)
    try:
        found = standing(product, version)
    except ValueError as error:
        raise ProbeError(f"{product}: {error}") from None
    return {
        "version": found.version,
        "branch": found.branch,
        "fixed_in": found.fixed_in,
        "open_bulletins": list(found.open_bulletins),
        "maintained": found.branch_is_maintained,
        "known": bool(found.fixed_in) or found.branch_is_maintained,
    }


@probe("gpu_bulletins", source="module_utils/gpu/nvidia_bulletins.py")
def gpu_bulletins(host: Host, params: Params) -> dict[str, Any]:
    """Return {source, read: day, age_days} of what we know of the vendor's bulletins; Absent without a GPU."""
    require_nvidia(host)
    today = date.fromtimestamp(time.time())
    return {"source": SOURCE, "read": READ, "age_days": (today - date.fromisoformat(READ)).days}


def _driver(host: Host) -> str:
    driver = smi_log(host).driver
    if isinstance(driver, Unavailable):
        raise ProbeError(f"the driver does not tell its version: {driver}")
    return driver


def _package(host: Host, product: str) -> str:
    known = installed(host)
    names = matching(known, _PACKAGES[product])
    if not names:
        raise Absent(f"{product} is not installed (no package {', '.join(_PACKAGES[product])})")
    return str(known[names[0]]["version"])


def _exact(product: str) -> Callable[[Host], tuple[str, str, bool]]:
    def compare(host: Host) -> tuple[str, str, bool]:
        driver, version = _driver(host), _package(host, product)
        try:
            found = upstream(version)
        except ValueError as error:
            raise ProbeError(f"{product}: {error}") from None
        return found, driver, found == driver

    return compare


def _kernel_module(host: Host) -> tuple[str, str, bool]:
    driver = _driver(host)
    try:
        found = parse_version(host.read_text("/proc/driver/nvidia/version"))
    except ParseError as error:
        raise ProbeError(str(error)) from None
    return found, driver, found == driver


def _gsp(host: Host) -> tuple[str, str, bool]:
    driver = _driver(host)
    told = [gpu.gsp_firmware for gpu in smi_log(host).gpus]
    versions = sorted({each for each in told if isinstance(each, str)})
    if not versions:
        raise Absent("no GPU runs firmware of its own (GSP)")
    return ", ".join(versions), driver, versions == [driver]


def _nccl(host: Host) -> tuple[str, str, bool]:
    version = _package(host, "nccl")
    match = re.search(r"\+cuda([0-9]+)", version)
    if match is None:
        raise ProbeError(f"nccl: version {version!r} does not say which CUDA it is built for")
    return _for_cuda(host, version, int(match.group(1)))


def _dcgm_plugin(host: Host) -> tuple[str, str, bool]:
    names = matching(installed(host), ["datacenter-gpu-manager-4-cuda[0-9]*"])
    built = [int(match.group(1)) for name in names for match in [re.search(r"-cuda([0-9]+)$", name)] if match]
    if not built:
        raise Absent("no plugin of DCGM is installed")
    return _for_cuda(host, ", ".join(names), min(built))


def _for_cuda(host: Host, what: str, built_for: int) -> tuple[str, str, bool]:
    """Compare main versions: within one, CUDA promises that what is newer runs on an older driver."""
    cuda = smi_log(host).cuda
    main = str(cuda).partition(".")[0]
    if isinstance(cuda, Unavailable) or not main.isdigit():
        raise ProbeError(f"the driver does not tell its version of CUDA: {cuda}")
    return what, f"CUDA {main} or older", built_for <= int(main)


_MEMBERS: dict[str, Callable[[Host], tuple[str, str, bool]]] = {
    "kernel_module": _kernel_module,
    "gsp": _gsp,
    "library": _exact("library"),
    "fabric_manager": _exact("fabric_manager"),
    "nccl": _nccl,
    "dcgm_plugin": _dcgm_plugin,
}
