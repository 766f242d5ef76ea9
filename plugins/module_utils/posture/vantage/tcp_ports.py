# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Which TCP ports of a host answer another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.dial import CLOSED, FILTERED, OPEN, dial
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.icmp import echoes
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.services import WELL_KNOWN
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.target import target_of


@probe("tcp_ports", optional=("ports",), source="TCP connections to {target}")
def tcp_ports(host: Host, params: Params) -> dict[str, Any]:
    """Return `{open: [port], closed: count, filtered: count, services: [{port, service}], tried}`; `services` names
    the open ones.

    `ports` is a list of ports and ranges such as `8000-8010`; without it, those of services.WELL_KNOWN and SSH.
    Raises ProbeError when no port answers and the host does not echo either: a host that cannot be reached at all has
    no closed ports to show.
    """
    target = target_of(params)
    found = dial(target.address, {*_ports(params.get("ports")), target.ssh_port})
    by_state = {state: [port for port in sorted(found) if found[port] == state] for state in (OPEN, CLOSED, FILTERED)}
    if not by_state[OPEN] and not by_state[CLOSED] and not _is_there(host, target.address):
        raise ProbeError(
            f"{target.address} answers on no port and to no echo request: it cannot be told from a host without a route"
        )
    return {
        "open": by_state[OPEN],
        "closed": len(by_state[CLOSED]),
        "filtered": len(by_state[FILTERED]),
        "services": [{"port": port, "service": WELL_KNOWN.get(port, "unknown")} for port in by_state[OPEN]],
        "tried": len(found),
    }


def _is_there(host: Host, address: str) -> bool:
    try:
        return echoes(host, address)
    except Absent:
        return False


def _ports(given: Any) -> Iterator[int]:
    if given is None:
        yield from WELL_KNOWN
        return
    for entry in given if isinstance(given, list) else [given]:
        low, _dash, high = str(entry).partition("-")
        if not low.isdigit() or not (high or low).isdigit() or not 0 < int(low) <= int(high or low) < 65536:
            raise ProbeError(f"ports has {entry!r}, wanted 1 to 65535 or a range such as 8000-8010")
        yield from range(int(low), int(high or low) + 1)
