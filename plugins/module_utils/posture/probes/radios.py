# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the host can be reached by without a cable: radios, and ports for devices, as the kernel has them."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

# linux/if.h: IFF_UP.
_UP = 0x1


@probe("wireless", source="/sys/class/net/*/phy80211, /sys/class/bluetooth")
def wireless(host: Host, params: Params) -> dict[str, Any]:
    """Return {interfaces: [{name, up}], up: [names], bluetooth: [names of adapters]}."""
    if not host.exists("/sys/class/net"):
        raise ProbeError("/sys/class/net does not exist: interfaces cannot be told; wanted a mounted /sys")
    interfaces = [
        {"name": name, "up": _is_up(host, name)}
        for name in host.listdir("/sys/class/net")
        if any(host.exists(f"/sys/class/net/{name}/{mark}") for mark in ("phy80211", "wireless"))
    ]
    return {
        "interfaces": interfaces,
        "up": [each["name"] for each in interfaces if each["up"]],
        "bluetooth": [path.rsplit("/", 1)[1] for path in host.glob("/sys/class/bluetooth/hci*")],
    }


@probe("usb_policy", source="/sys/bus/usb/devices/usb*/authorized_default")
def usb_policy(host: Host, params: Params) -> list[dict[str, str]]:
    """Return a list of {bus, authorized_default} of the USB controllers: what becomes of a device that is plugged in.

    `0` refuses it, `2` takes only those that are built in, `1` and `-1` take all (Documentation/usb/authorization).
    """
    found = []
    for path in host.glob("/sys/bus/usb/devices/usb*/authorized_default"):
        try:
            value = host.read_text(path).strip()
        except Absent:
            continue
        found.append({"bus": path.split("/")[-2], "authorized_default": value})
    return found


def _is_up(host: Host, name: str) -> bool:
    text = host.read_text(f"/sys/class/net/{name}/flags").strip()
    try:
        return bool(int(text, 16) & _UP)
    except ValueError:
        raise ProbeError(f"/sys/class/net/{name}/flags holds {text!r}, wanted a hexadecimal number") from None
