# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Updates that the host knows of and has not taken, by a simulation of apt over the lists that are there."""

from __future__ import annotations

import re
import time
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.posture.subject import require_subject

_LISTS = "/var/lib/apt/lists"
_INFO = "/var/lib/dpkg/info"
_DAY_S = 86400.0
# apt-get(8) -s: Inst name [installed] (candidate Origin:version/suite, ... [architecture])
_TOLD = re.compile(r"(Inst|Conf|Remv|Purg) \S")
_LINE = re.compile(r"Inst (\S+) \[(\S+)\] \((\S+) (.*?)(?: \[[^\]]*\])?\).*")


@probe("apt_pending", source="apt-get --simulate dist-upgrade; /var/lib/apt/lists")
def apt_pending(host: Host, params: Params) -> dict[str, Any]:
    """Return {updates, security: [{name, installed, candidate, days}], lists_days}.

    `security` are updates from an archive that calls itself one for security; `days` is for how long the host has had
    the version that is to be replaced, which an update cannot have waited longer than. `lists_days` is how long ago the
    lists were last looked for. ProbeError when the host has no lists: then it knows of nothing. Absent without apt.
    """
    looked = _last_looked(host)
    argv = ["apt-get", "--simulate", "--quiet=2", "-o", "Debug::NoLocking=true", "dist-upgrade"]
    require_subject(host, "apt-get", "apt", "apt is not installed")
    text = host.run(argv, timeout=20.0).require_ok().stdout
    strange = [line for line in text.splitlines() if line.strip() and not _TOLD.match(line)]
    if strange:
        raise ProbeError(f"'{' '.join(argv)}' printed what no update is: {strange[0][:120]!r}")
    updates = [match for match in map(_LINE.fullmatch, text.splitlines()) if match]
    now = time.time()
    security = [
        {
            "name": match.group(1),
            "installed": match.group(2),
            "candidate": match.group(3),
            "days": _days(host, match.group(1), now),
        }
        for match in updates
        if "security" in match.group(4).lower()
    ]
    return {"updates": len(updates), "security": security, "lists_days": round((now - looked) / _DAY_S, 1)}


def package_lists(host: Host) -> list[str]:
    """Return the paths of apt's lists of packages; without any it knows of no update."""
    return host.glob(f"{_LISTS}/*_Packages*")


def _last_looked(host: Host) -> float:
    if not host.exists("/etc/apt"):
        raise Absent("apt is not installed: there is no /etc/apt")
    if not package_lists(host):
        raise ProbeError(f"{_LISTS} holds no list of packages: what waits cannot be told; wanted `apt-get update`")
    # apt downloads to `partial` and `auxfiles` and moves what is new; the lists carry the archive's time, not ours.
    folders = [path for path in (_LISTS, f"{_LISTS}/partial", f"{_LISTS}/auxfiles") if host.exists(path)]
    return max(host.stat(path).mtime for path in folders)


def _days(host: Host, name: str, now: float) -> float | None:
    """Return for how long the installed version has been there; None when that cannot be told."""
    paths = [*host.glob(f"{_INFO}/{name}.list"), *host.glob(f"{_INFO}/{name}:*.list")]
    return round((now - host.stat(paths[0]).mtime) / _DAY_S, 1) if paths else None
