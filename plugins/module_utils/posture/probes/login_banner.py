# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the host says to whoever stands before its login, drop-ins included."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

# agetty(8) and pam_motd(8): the file, and what is shown after it.
_PLACES = {
    "issue": ("/etc/issue", "/etc/issue.d/*.issue", "/run/issue.d/*.issue"),
    "issue.net": ("/etc/issue.net",),
    "motd": ("/etc/motd", "/etc/motd.d/*", "/run/motd.d/*"),
}
# Sequences by which agetty names the machine, the release, the system, its version and the distribution.
_TELLING = re.compile(r"\\([mrsv]|S(?:\{[A-Z_]+\})?)")
_SYSTEMS = re.compile(r"\b(Debian|Ubuntu|GNU/Linux|Linux|kernel)\b", re.I)


@probe("login_banner", required=("which",), source="/etc/{which} and its drop-ins")
def login_banner(host: Host, params: Params) -> dict[str, Any]:
    """Return {text, tells, files} of `which` issue, issue.net or motd.

    `tells` lists what in the text names the system: sequences of agetty, names of systems, the kernel's release.
    """
    which = str(params["which"])
    if which not in _PLACES:
        raise ProbeError(f"login_banner has {which!r}, wanted one of {', '.join(_PLACES)}")
    paths = [path for pattern in _PLACES[which] for path in host.glob(pattern)]
    text = "".join(host.read_text(path) for path in paths)
    release = host.read_text("/proc/sys/kernel/osrelease").strip()
    tells = [match.group(0) for expression in (_TELLING, _SYSTEMS) for match in expression.finditer(text)]
    tells += [release] if release and release in text else []
    return {"text": text.strip()[:2000], "tells": sorted(set(tells)), "files": paths}
