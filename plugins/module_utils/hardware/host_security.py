# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What fwupd says of the firmware's own protection (its Host Security ID), where it is installed."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host

# It asks every device of the machine the first time; the other probes of the host share one minute with it.
_LIMIT_S = 12.0
_LEVELS = range(1, 6)


def read(host: Host) -> dict[str, Any]:
    """Return {level, failed: [{name, level, result}]}; Absent when fwupd is not installed."""
    if host.which("fwupdmgr") is None:
        raise Absent("fwupd is not installed")
    answer = host.run(["fwupdmgr", "security", "--json", "--no-unreported-check"], timeout=_LIMIT_S)
    return parse(answer.require_ok().stdout)


def parse(text: str) -> dict[str, Any]:
    """Return the same of the JSON: `level` is the highest of which everything, and all below it, holds (0 to 5).

    Attributes without a level watch the running system, and other controls do that.
    """
    try:
        attributes = json.loads(text)["HostSecurityAttributes"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ProbeError("fwupdmgr security answered with no JSON that has HostSecurityAttributes") from None
    if not isinstance(attributes, list) or not all(isinstance(each, dict) for each in attributes):
        raise ProbeError("HostSecurityAttributes of fwupd is no list of objects")
    judged = [each for each in attributes if each.get("HsiLevel") in _LEVELS and _counts(each)]
    if not judged:
        raise ProbeError("fwupd judged nothing of this machine's firmware")
    failed = [each for each in judged if "success" not in each.get("Flags", ())]
    lowest = min((each["HsiLevel"] for each in failed), default=max(_LEVELS) + 1)
    shown = [
        {"name": str(each.get("AppstreamId", "")), "level": each["HsiLevel"], "result": str(each.get("HsiResult", ""))}
        for each in failed
    ]
    return {"level": lowest - 1, "failed": sorted(shown, key=lambda each: (each["level"], each["name"]))}


def _counts(attribute: dict[str, Any]) -> bool:
    flags = attribute.get("Flags", [])
    return isinstance(flags, list) and "obsoleted" not in flags
