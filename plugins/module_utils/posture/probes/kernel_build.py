# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""How the running kernel was built, whose code it runs, and whether it takes code that nobody signed."""

from __future__ import annotations

import gzip
import re
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.hardware.trust import tainted_modules
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_SIGNATURES = "/sys/module/module/parameters/sig_enforce"
# admin-guide/tainted-kernels.rst, by bit.
_TAINTS = (
    "proprietary_module",
    "forced_module",
    "processor_out_of_spec",
    "forced_unload",
    "machine_check",
    "bad_page",
    "user_request",
    "died",
    "overridden_acpi_table",
    "warning",
    "staging_driver",
    "firmware_workaround",
    "out_of_tree_module",
    "unsigned_module",
    "soft_lockup",
    "live_patch",
    "distribution",
    "random_structures",
    "test",
)


@probe("kernel_taint", source="/proc/sys/kernel/tainted")
def kernel_taint(host: Host, params: Params) -> dict[str, Any]:
    """Return {value, flags: [names]}: what happened to this kernel since it started; it forgets none of it."""
    text = host.read_text("/proc/sys/kernel/tainted").strip()
    if not text.isdigit():
        raise ProbeError(f"/proc/sys/kernel/tainted says {text!r}, wanted a number")
    value = int(text)
    known = [name for bit, name in enumerate(_TAINTS) if value >> bit & 1]
    unknown = [f"bit_{bit}" for bit in range(len(_TAINTS), value.bit_length()) if value >> bit & 1]
    return {"value": value, "flags": known + unknown}


@probe("kernel_config", required=("option",), source="/proc/config.gz or /boot/config-RELEASE: {option}")
def kernel_config(host: Host, params: Params) -> str:
    """Return `y`, `m`, `n`, or the text of an option of the running kernel's build, named without CONFIG_.

    Absent when the kernel does not tell how it was built.
    """
    options: dict[str, str] = host.once("kernel_config", lambda: _options(host))
    return options.get(str(params["option"]), "n")


def _options(host: Host) -> dict[str, str]:
    found = dict(re.findall(r"^CONFIG_(\w+)=(.*)$", _build(host), re.M))
    if not found:
        raise ProbeError("the configuration of the kernel sets no option: the file is damaged")
    return {name: value.strip('"') for name, value in found.items()}


def _build(host: Host) -> str:
    try:
        return gzip.decompress(host.read_bytes("/proc/config.gz")).decode("utf-8", "replace")
    except Absent:
        pass
    except (OSError, EOFError) as damage:
        raise ProbeError(f"/proc/config.gz cannot be unpacked: {damage}") from damage
    path = "/boot/config-" + host.read_text("/proc/sys/kernel/osrelease").strip()
    try:
        return host.read_text(path)
    except Absent:
        raise Absent(f"the kernel has neither /proc/config.gz nor {path}") from None


@probe("module_signatures", source=_SIGNATURES + "; /sys/module/*/taint")
def module_signatures(host: Host, params: Params) -> dict[str, Any]:
    """Return {enforced, unsigned: [names]}: whether an unsigned module is refused from now on, and which are in.

    Absent when the kernel was built without signatures.
    """
    try:
        answer = host.read_text(_SIGNATURES).strip()
    except Absent:
        raise Absent(f"this kernel knows no signatures of modules: there is no {_SIGNATURES}") from None
    return {"enforced": answer == "Y", "unsigned": tainted_modules(host, "E")}


@probe("lsm", source="/sys/kernel/security/lsm")
def lsm(host: Host, params: Params) -> list[str]:
    """Return the security modules of the running kernel, in the order in which they are asked."""
    return [name for name in host.read_text("/sys/kernel/security/lsm").strip().split(",") if name]
