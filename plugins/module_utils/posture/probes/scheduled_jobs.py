# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Who may have jobs of cron and at, and who has."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_SPOOL = "/var/spool/cron/crontabs"


@probe("job_users", required=("tool",), source="/etc/{tool}.allow, /etc/{tool}.deny")
def job_users(host: Host, params: Params) -> dict[str, Any]:
    """Return {allowed: [names], denied: [names]} of `tool` cron or at, each only where there is such a file.

    With a list of those allowed the other one is not read (crontab(1), at.allow(5)).
    """
    tool = str(params["tool"])
    if tool not in ("cron", "at"):
        raise ProbeError(f"job_users has the tool {tool!r}, wanted cron or at")
    paths = {"allowed": f"/etc/{tool}.allow", "denied": f"/etc/{tool}.deny"}
    return {which: _names(host, path) for which, path in paths.items() if host.exists(path)}


@probe("crontabs", source="/var/spool/cron/crontabs")
def crontabs(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return a list of {user, owner, mode} of the crontabs that cron runs, but for those without a job in them."""
    if not host.exists(_SPOOL):
        return []
    found = []
    for name in host.listdir(_SPOOL):
        path = f"{_SPOOL}/{name}"
        status = host.stat(path)
        if status.type == "file" and _jobs(host.read_text(path)):
            found.append({"user": name, "owner": host.user_name(status.uid), "mode": status.octal})
    return found


def _names(host: Host, path: str) -> list[str]:
    lines = (line.split("#", 1)[0].strip() for line in host.read_text(path).splitlines())
    return [line for line in lines if line]


def _jobs(text: str) -> bool:
    lines = (line.strip() for line in text.splitlines())
    return any(line and not line.startswith("#") and "=" not in line.split()[0] for line in lines)
