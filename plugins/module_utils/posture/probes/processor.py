# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The processor's flaws one by one, its microcode, and what keeps devices to the memory that they are given."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_VULNERABILITIES = "/sys/devices/system/cpu/vulnerabilities"
_PACKAGES = {"GenuineIntel": "intel-microcode", "AuthenticAMD": "amd64-microcode"}


@probe("cpu_flaws", source=_VULNERABILITIES)
def cpu_flaws(host: Host, params: Params) -> list[dict[str, str]]:
    """Return [{name, text}], the kernel's words on every flaw that it knows, newer ones too.

    Absent when the kernel does not tell.
    """
    names = host.listdir(_VULNERABILITIES)
    return [{"name": name, "text": host.read_text(f"{_VULNERABILITIES}/{name}").strip()} for name in names]


@probe("microcode", source="/proc/cpuinfo")
def microcode(host: Host, params: Params) -> dict[str, Any]:
    """Return {vendor, revisions: [text], package}: the revision of every core, and the package that brings newer ones.

    Absent when this processor takes no microcode from the system.
    """
    text = host.read_text("/proc/cpuinfo")
    vendors = set(re.findall(r"^vendor_id\s*:\s*(\S+)", text, re.M))
    if not vendors & set(_PACKAGES):
        named = ", ".join(sorted(vendors)) or "no x86"
        raise Absent(f"this processor takes no microcode from packages: {named}")
    vendor = sorted(vendors & set(_PACKAGES))[0]
    revisions = sorted(set(re.findall(r"^microcode\s*:\s*(\S+)", text, re.M)))
    return {"vendor": vendor, "revisions": revisions, "package": _PACKAGES[vendor]}


@probe("iommu", source="/sys/class/iommu; /sys/kernel/iommu_groups/*/type")
def iommu(host: Host, params: Params) -> dict[str, Any]:
    """Return {units: number, groups: number, types: {DMA: number, ...}, kinds: [types]}.

    `identity` is a group whose devices see all memory (iommu=pt); `DMA` and `DMA-FQ` are translated.
    """
    groups = host.glob("/sys/kernel/iommu_groups/*/type")
    types = Counter(_type(host, path) for path in groups)
    units = len(host.glob("/sys/class/iommu/*"))
    return {"units": units, "groups": len(groups), "types": dict(types), "kinds": sorted(types)}


def _type(host: Host, path: str) -> str:
    try:
        return host.read_text(path).strip()
    except Absent:
        raise ProbeError(f"{path} went away while it was read") from None
