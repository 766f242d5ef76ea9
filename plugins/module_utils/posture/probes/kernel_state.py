# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the running kernel says of itself: its command line, the flaws of its processors, what confines programs."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.hardware.trust import efi_flag
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_VULNERABILITIES = "/sys/devices/system/cpu/vulnerabilities"
_APPARMOR = "/sys/module/apparmor/parameters/enabled"
_PROFILES = "/sys/kernel/security/apparmor/profiles"
_LOCKDOWN = "/sys/kernel/security/lockdown"


@probe("kernel_cmdline", source="/proc/cmdline")
def kernel_cmdline(host: Host, params: Params) -> dict[str, Any]:
    """Return {params: {name: text, empty for a bare word; of repeated ones the last}, words: those as text, raw}."""
    return command_line(host.read_text("/proc/cmdline").strip())


def command_line(raw: str) -> dict[str, Any]:
    """Return the value of `kernel_cmdline` for a command line; `words` are `name=text` or `name`, each name once."""
    found = {}
    # The kernel knows double quotes, and no other quoting (lib/cmdline.c).
    for word in re.findall(r'(?:[^\s"]|"[^"]*")+', raw):
        # What follows two dashes is for init and not for the kernel.
        if word == "--":
            break
        name, _unused, value = word.replace('"', "").partition("=")
        found[name] = value
    words = [f"{name}={value}" if value else name for name, value in found.items()]
    return {"params": found, "words": words, "raw": raw}


@probe("cpu_vulnerabilities", source="/sys/devices/system/cpu/vulnerabilities")
def cpu_vulnerabilities(host: Host, params: Params) -> dict[str, str]:
    """Return {name: the kernel's words, such as `Mitigation: PTI`}; Absent when the kernel does not tell."""
    return {name: host.read_text(f"{_VULNERABILITIES}/{name}").strip() for name in host.listdir(_VULNERABILITIES)}


@probe("apparmor", source="/sys/kernel/security/apparmor/profiles")
def apparmor(host: Host, params: Params) -> dict[str, Any]:
    """Return {enabled, profiles: number, modes: {enforce: number, ...}, complain: [names], unconfined: [names]}.

    Absent when the kernel has no AppArmor.
    """
    try:
        enabled = host.read_text(_APPARMOR).strip() == "Y"
    except Absent:
        raise Absent("this kernel has no AppArmor") from None
    if not enabled:
        return {"enabled": False, "profiles": 0, "modes": {}, "complain": [], "unconfined": []}
    pairs = re.findall(r"^(.*) \(([a-z]+)\)$", _profiles(host), re.M)
    return {
        "enabled": True,
        "profiles": len(pairs),
        "modes": dict(Counter(mode for _unused, mode in pairs)),
        "complain": sorted(name for name, mode in pairs if mode == "complain"),
        "unconfined": sorted(name for name, mode in pairs if mode == "unconfined"),
    }


def _profiles(host: Host) -> str:
    try:
        return host.read_text(_PROFILES)
    except Absent:
        # Enabled and unreadable is not the same as no profiles.
        raise ProbeError(f"AppArmor is enabled and {_PROFILES} is not there: is securityfs mounted?") from None


@probe("lockdown", source="/sys/kernel/security/lockdown; EFI variable SecureBoot")
def lockdown(host: Host, params: Params) -> dict[str, Any]:
    """Return {mode: none|integrity|confidentiality, secure_boot: true, false or null without UEFI}.

    Absent when the kernel has no lockdown.
    """
    text = host.read_text(_LOCKDOWN)
    match = re.search(r"\[(\w+)\]", text)
    if match is None:
        raise ProbeError(f"{_LOCKDOWN} names no mode in brackets: {text.strip()!r}")
    return {"mode": match.group(1), "secure_boot": efi_flag(host, "SecureBoot")}
