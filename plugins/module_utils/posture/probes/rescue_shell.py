# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the shells for repairs ask who is there, as the service manager has them and as the disk has them."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.posture.unit_files import masked, stands, unit_text

_ASKS = ("systemd-sulogin-shell", "sulogin")
_FORCE = re.compile(r"\bSYSTEMD_SULOGIN_FORCE=(?!0\b|no\b|false\b|off\b)\w+")
_SETTING = re.compile(r"^\s*(ExecStart|Environment)\s*=\s*(.*?)\s*$", re.M)


@probe("rescue_shell", required=("unit",), source="systemctl show {unit}; its file and drop-ins")
def rescue_shell(host: Host, params: Params) -> dict[str, Any]:
    """Return {asks, asks_at_boot, command, masked}: whether the unit runs sulogin and does not let in everybody.

    `asks_at_boot` follows the unit's file and its drop-ins as they lie on the disk, the later one winning. A masked
    unit starts no shell, and so asks. Absent when there is no such unit.
    """
    unit = str(params["unit"])
    shown = (
        host.run(["systemctl", "show", "--property=LoadState,ExecStart,Environment", "--", unit]).require_ok().stdout
    )
    if "LoadState=not-found" in shown:
        raise Absent(f"no unit {unit} is installed")
    off = "LoadState=masked" in shown
    commands = re.findall(r"path=(\S+)", shown)
    # Without an ExecStart the file says nothing, and that must not count as asking.
    return {
        "asks": off or _asks(commands, shown),
        "asks_at_boot": _masked_at_boot(host, unit) or _on_disk(unit_text(host, unit)),
        "command": " ".join(commands),
        "masked": off,
    }


def _asks(commands: list[str], text: str) -> bool:
    return bool(commands) and all(_name(path) in _ASKS for path in commands) and not _FORCE.search(text)


def _on_disk(text: str) -> bool:
    commands: list[str] = []
    environment: list[str] = []
    for name, value in _SETTING.findall(text):
        held = commands if name == "ExecStart" else environment
        # An empty value takes back what came before it.
        if value:
            held.append(value)
        else:
            held.clear()
    return _asks([value.lstrip("-@:+!").split()[0] for value in commands], " ".join(environment))


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _masked_at_boot(host: Host, unit: str) -> bool:
    file = f"/etc/systemd/system/{unit}"
    return stands(host, file) and masked(host, file)
