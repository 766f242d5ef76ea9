# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the clock is kept right, as the service that keeps it says."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.systemd import show_units
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_SERVICES = ("chrony.service", "systemd-timesyncd.service", "ntpsec.service", "ntp.service", "openntpd.service")
# systemd-timesyncd(8): touched at every synchronisation, gone after a boot.
_TIMESYNCD_MARK = "/run/systemd/timesync/synchronized"


@probe("time_sync", source="chronyc tracking; /run/systemd/timesync; timedatectl")
def time_sync(host: Host, params: Params) -> dict[str, Any]:
    """Return {synchronized, service: unit or null, ntp: whether a time service runs, running: [units]}.

    Two services that run at once fight over the clock: `running` names them all.
    """
    units = show_units(host, _SERVICES)
    running = [unit for unit in _SERVICES if units[unit]["ActiveState"] == "active"]
    service = running[0] if running else None
    return {
        "synchronized": _synchronized(host, service),
        "service": service,
        "ntp": service is not None,
        "running": running,
    }


def _synchronized(host: Host, service: str | None) -> bool:
    if service is None:
        return False
    if service == "chrony.service":
        fields = host.run(["chronyc", "-n", "-c", "tracking"]).require_ok().stdout.strip().split(",")
        # The last of the fourteen fields is the leap status (chronyc(1), tracking).
        if len(fields) != 14:
            raise ProbeError(f"chronyc tracking has {len(fields)} fields, wanted 14")
        return fields[-1] != "Not synchronised"
    if service == "systemd-timesyncd.service":
        return host.exists(_TIMESYNCD_MARK)
    shown = host.run(["timedatectl", "show", "--property=NTPSynchronized", "--value"]).require_ok().stdout
    return shown.strip() == "yes"
