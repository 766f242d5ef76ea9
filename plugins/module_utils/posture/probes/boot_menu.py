# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the next boot would start: the menu of GRUB or of systemd-boot as it lies on the disk."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.boot import grub
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.kernel_state import command_line
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_GRUB = "/boot/grub"
_LOADERS = ("/boot/efi/loader", "/efi/loader", "/boot/loader")


@probe("cmdline_at_boot", source="/boot/grub/grub.cfg, custom.cfg, grubenv; or loader/entries of systemd-boot")
def cmdline_at_boot(host: Host, params: Params) -> dict[str, Any]:
    """Return {loader: grub|systemd-boot, title, kernel, params, words, raw} of the entry that starts by itself.

    Absent when neither loader has a configuration here: who starts the host (a hypervisor, a network) decides then.
    """
    if _has_grub(host):
        entry = _default(menu_of(host))
        return {"loader": "grub", "title": entry.title, "kernel": entry.kernel, **command_line(entry.arguments)}
    return _systemd_boot(host)


@probe("boot_entries", source="/boot/grub/grub.cfg, custom.cfg, grubenv")
def boot_entries(host: Host, params: Params) -> dict[str, Any]:
    """Return {superusers: [], protected, default, entries: [{title, unrestricted, recovery}]}.

    `protected`: who changes an entry is asked for a password that the menu knows as a hash. `default` is the entry that
    starts by itself. Absent when the host has no menu of GRUB.
    """
    if not _has_grub(host):
        raise Absent(f"there is no {_GRUB}/grub.cfg")
    menu = menu_of(host)
    return {
        "superusers": menu.superusers,
        "protected": menu.protected,
        "default": _entry(_default(menu)),
        "entries": [_entry(entry) for entry in menu.entries],
    }


def menu_of(host: Host) -> grub.Menu:
    """Return the menu that GRUB would show at the next boot."""
    return host.once("grub menu", lambda: _read(host))


def _read(host: Host) -> grub.Menu:
    texts = [host.read_text(f"{_GRUB}/grub.cfg")]
    custom = _optional(host, f"{_GRUB}/custom.cfg")
    # 41_custom reads it from the menu; a menu without that line never looks at it.
    if custom and "custom.cfg" in texts[0]:
        texts.append(custom)
    return grub.read(texts, grub.environment_block(_optional(host, f"{_GRUB}/grubenv")))


def _default(menu: grub.Menu) -> grub.Entry:
    try:
        return menu.default()
    except grub.MenuError as error:
        raise ProbeError(f"{_GRUB}/grub.cfg: {error}") from None


def _entry(entry: grub.Entry) -> dict[str, Any]:
    return {"title": entry.title, "unrestricted": entry.unrestricted, "recovery": entry.recovery}


def _has_grub(host: Host) -> bool:
    return host.exists(f"{_GRUB}/grub.cfg")


def _optional(host: Host, path: str) -> str:
    try:
        return host.read_text(path)
    except Absent:
        return ""


def _systemd_boot(host: Host) -> dict[str, Any]:
    for folder in _LOADERS:
        paths = host.glob(f"{folder}/entries/*.conf")
        if paths:
            break
    else:
        raise Absent(
            f"neither {_GRUB}/grub.cfg nor entries of systemd-boot are here: the host is started from elsewhere"
        )
    pattern = _settings(_optional(host, f"{folder}/loader.conf")).get("default", "*")
    # systemd-boot starts the greatest version that the pattern matches.
    fitting = [
        path for path in paths if fnmatchcase(path.rsplit("/", 1)[-1], pattern if "*" in pattern else f"{pattern}*")
    ]
    chosen = _settings(host.read_text(sorted(fitting or paths)[-1]))
    return {
        "loader": "systemd-boot",
        "title": chosen.get("title", ""),
        "kernel": chosen.get("linux", chosen.get("efi", "")),
        **command_line(chosen.get("options", "")),
    }


def _settings(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, _unused, value = line.strip().partition(" ")
        if name and not name.startswith("#"):
            # Lines of options add up (Boot Loader Specification).
            found[name] = f"{found[name]} {value.strip()}" if name == "options" and name in found else value.strip()
    return found
