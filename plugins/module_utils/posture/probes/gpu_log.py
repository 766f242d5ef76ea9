# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Error reports of GPUs in the kernel's log, by what they are about."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.gpu.ask import require_nvidia, xid_events
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.xid_classes import CLASSES, meaning_of
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_HOURS = 24
_SHOWN = 20


@probe("gpu_xids", required=("category",), optional=("hours",), source="journalctl _TRANSPORT=kernel: Xid, SXid")
def gpu_xids(host: Host, params: Params) -> dict[str, Any]:
    """Return {hours, count, events: [{id, device, at, text}]} of the reports of a class in the last hours (24).

    `category` is one of xid_classes.py: memory, bus, nvlink, firmware, hardware. Absent without a GPU, and in a
    container.
    """
    category, hours = str(params["category"]), int(params.get("hours", _HOURS))
    if category not in CLASSES:
        raise ProbeError(f"no class of reports is called {category!r}, wanted one of {', '.join(sorted(CLASSES))}")
    require_nvidia(host)
    found = [event for event in xid_events(host, hours) if event.category == category]
    shown = [
        {
            "id": f"{'SXid' if event.switch else 'Xid'} {event.number} of {event.device}",
            "meaning": "" if event.switch else meaning_of(event.number),
            "at": event.at,
            "text": event.text,
        }
        for event in found[-_SHOWN:]
    ]
    return {"hours": hours, "count": len(found), "events": shown}
