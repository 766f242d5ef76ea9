# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What a host's start rests on: firmware, Secure Boot, lockdown, TPM, and modules that taint the kernel."""

from __future__ import annotations

import re

from ansible_collections.rampart.fleet.plugins.module_utils.hardware.facts import Identity, Trust
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.reading import names, word
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host

_DMI = "/sys/class/dmi/id"
_EFI = "/sys/firmware/efi"
# The GUID is that of the variables which the UEFI specification defines itself.
_GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"


def identity(host: Host) -> Identity:
    """Return who made machine and firmware; Absent where the firmware does not say."""
    if not names(host, _DMI):
        raise Absent(f"the firmware names no machine: there is no {_DMI}")
    fields = ("sys_vendor", "product_name", "board_name", "bios_vendor", "bios_version", "bios_date")
    return Identity(*(word(host, f"{_DMI}/{field}") for field in fields))


def read(host: Host) -> Trust:
    """Return what the start rests on."""
    mode = re.search(r"\[(\w+)\]", word(host, "/sys/kernel/security/lockdown"))
    return Trust(
        uefi=host.exists(_EFI),
        secure_boot=efi_flag(host, "SecureBoot"),
        setup_mode=efi_flag(host, "SetupMode"),
        lockdown=mode.group(1) if mode else None,
        tpm_versions=tpm_versions(host),
        tainting_modules=tuple(tainted_modules(host, "PFOE")),
    )


def efi_flag(host: Host, name: str) -> bool | None:
    """Return a variable of the firmware that is yes or no; None when it has none of that name."""
    try:
        content = host.read_bytes(f"{_EFI}/efivars/{name}-{_GLOBAL}")
    except Absent:
        return None
    # Four bytes of attributes come first.
    return content[4:5] == b"\x01"


def tpm_versions(host: Host) -> tuple[str, ...]:
    """Return the major version of every TPM, such as `2`; a driver too old to say it leaves `unknown`."""
    found = [name for name in names(host, "/sys/class/tpm") if re.fullmatch(r"tpm\d+", name)]
    return tuple(word(host, f"/sys/class/tpm/{name}/tpm_version_major") or "unknown" for name in found)


def tainted_modules(host: Host, flags: str) -> list[str]:
    """Return the loaded modules with one of these flags (P proprietary, F forced in, O out of tree, E unsigned)."""
    found = []
    for path in host.glob("/sys/module/*/taint"):
        try:
            text = host.read_text(path)
        except Absent:
            # It was unloaded since.
            continue
        if set(text.strip()) & set(flags):
            found.append(path.split("/")[3])
    return found
