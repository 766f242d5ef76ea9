# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the clock is kept right, as the service that keeps it says."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
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


@probe("time_sources", source="chronyc -N sources -a; timedatectl show-timesync")
def time_sources(host: Host, params: Params) -> dict[str, Any]:
    """Return {service, names, user}: what the running time service asks, by the names in its configuration.

    `user` is the account that its process runs as. Absent when no time service runs.
    """
    units = show_units(host, _SERVICES)
    service = next((unit for unit in _SERVICES if units[unit]["ActiveState"] == "active"), None)
    if service is None:
        raise Absent(f"none of {', '.join(_SERVICES)} runs")
    return {"service": service, "names": _source_names(host, service), "user": _user(host, units[service])}


def _source_names(host: Host, service: str) -> list[str]:
    if service == "chrony.service":
        lines = host.run(["chronyc", "-N", "-c", "sources", "-a"]).require_ok().stdout.splitlines()
        fields = [line.split(",") for line in lines if line]
        if any(len(each) < 4 for each in fields):
            raise ProbeError(f"chronyc sources has a line that is none: {lines!r}")
        # A reference clock (#) is hardware of the host, no server that it asks.
        return sorted({each[2] for each in fields if each[0] != "#"})
    if service == "systemd-timesyncd.service":
        argv = ["timedatectl", "show-timesync"]
        shown = dict(line.split("=", 1) for line in host.run(argv).require_ok().stdout.splitlines() if "=" in line)
        configured = f"{shown.get('LinkNTPServers', '')} {shown.get('SystemNTPServers', '')}".split()
        return sorted(configured or shown.get("FallbackNTPServers", "").split())
    raise ProbeError(f"{service} keeps the time, whose sources are not known to be asked; wanted chrony or timesyncd")


def _user(host: Host, unit: dict[str, str]) -> str | None:
    pid = unit.get("MainPID", "0")
    if not pid.isdigit() or pid == "0":
        return None
    for line in host.read_text(f"/proc/{pid}/status").splitlines():
        if line.startswith("Uid:"):
            return host.user_name(int(line.split()[2]))
    raise ProbeError(f"/proc/{pid}/status has no line Uid")
