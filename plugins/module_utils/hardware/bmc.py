# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The management controller of the board, asked from inside: is IPMI offered over the network, and to whom."""

from __future__ import annotations

import re

from ansible_collections.rampart.fleet.plugins.module_utils.hardware import smbios
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.facts import Channel
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.reading import names
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host

# IPMI 2.0, table 6-1: 1 to 11 are what a board may use as it likes, networks among it.
_CHANNELS = range(1, 12)
_FIELD = re.compile(r"^\s*([^:\n]+?)\s*: *(.*?)\s*$", re.M)
_DEVICES = ("ipmi0",)


def interface(host: Host) -> str:
    """Return how the host talks to its controller; Absent when the board has none."""
    try:
        found = smbios.management_interface(host.read_bytes(smbios.PATH))
    except Absent:
        found = None
    if found is None and not any(host.exists(f"/dev/{name}") for name in _DEVICES):
        raise Absent("the firmware names no management controller, and there is no /dev/ipmi0")
    return found or "unknown"


def askable(host: Host) -> bool:
    """Say whether the controller can be asked: the tool is there, and the kernel has its driver."""
    return host.which("ipmitool") is not None and any(name in names(host, "/dev") for name in _DEVICES)


def channels(host: Host) -> tuple[Channel, ...]:
    """Return the controller's channels to networks; Absent when it cannot be asked."""
    interface(host)
    if not askable(host):
        raise Absent("not measured: the management controller is asked by ipmitool through /dev/ipmi0; one is missing")
    found = [channel for number in _CHANNELS if (channel := _channel(host, number)) is not None]
    if not found:
        raise ProbeError("the management controller answered for none of its channels")
    return tuple(found)


def _channel(host: Host, number: int) -> Channel | None:
    told = host.run(["ipmitool", "channel", "info", str(number)], timeout=3.0)
    # A channel that the board does not have ends with an error; that is an answer.
    if told.rc != 0 or not is_network(told.stdout):
        return None
    return parse_channel(number, told.stdout, host.run(["ipmitool", "lan", "print", str(number)], timeout=5.0).stdout)


def is_network(info: str) -> bool:
    """Say whether `ipmitool channel info` describes a network."""
    return re.search(r"^\s*Channel Medium Type\s*: .*LAN", info, re.M) is not None


def parse_channel(number: int, info: str, lan: str) -> Channel:
    """Return a channel from the output of `channel info` and `lan print`.

    ProbeError when the access mode in force is not named; `cipher_zero` is None when the suites are not.
    """
    in_force = re.split(r"Non-Volatile", info, maxsplit=1)[0]
    access = re.search(r"^\s*Access Mode\s*: *(.+?)\s*$", in_force, re.M)
    if access is None:
        raise ProbeError(f"ipmitool names no access mode of channel {number}")
    fields = dict(reversed(_FIELD.findall(lan)))
    suites = fields.get("RMCP+ Cipher Suites", "")
    return Channel(
        number=number,
        access=access.group(1),
        address=fields.get("IP Address", ""),
        cipher_zero=cipher_zero(suites, fields.get("Cipher Suite Priv Max", "")),
    )


def cipher_zero(suites: str, privileges: str) -> bool | None:
    """Say whether cipher suite 0, a login without a password, is offered; None when the controller does not list any.

    A letter for each suite says what it may be used for at most, X for nothing. Some controllers count the letters by
    the suite's number, some by its place in the list, so that both must be X.
    """
    listed = [part.strip() for part in suites.split(",")]
    if not re.fullmatch(r"[0-9]+(,[0-9]+)*", suites.replace(" ", "")):
        return None
    if "0" not in listed:
        return False
    if not re.fullmatch(r"[XcuoaO]{15,16}", privileges):
        return True
    places = {0, min(listed.index("0"), len(privileges) - 1)}
    return any(privileges[place] != "X" for place in places)
