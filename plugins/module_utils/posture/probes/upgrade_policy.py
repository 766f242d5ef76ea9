# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What updates do by themselves: which packages they leave alone, and whether they restart services."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.apt_config import apt_config
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.package import installed, matching
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_BLACKLIST = "unattended-upgrade::package-blacklist"
_NEEDRESTART = "/etc/needrestart/needrestart.conf"
# The configuration is Perl and reads its drop-ins itself; i is what needrestart starts from (needrestart(1), -r).
_ASK = "our %nrconf; my $f = shift; do $f; die $@ if $@; print $nrconf{restart} // 'i'"


@probe(
    "upgrades_held", required=("globs",), source="dpkg holds; apt-config dump: Unattended-Upgrade::Package-Blacklist"
)
def upgrades_held(host: Host, params: Params) -> dict[str, list[str]]:
    """Return {held, open}: installed packages that match `globs`, by whether unattended-upgrades leaves them alone.

    It does when dpkg holds the package or a regular expression of the blacklist matches the start of its name.
    """
    listed = apt_config(host, {}).get(_BLACKLIST, [])
    expressions = [_compiled(str(text)) for text in (listed if isinstance(listed, list) else [listed])]
    known = installed(host)
    names = matching(known, [str(pattern) for pattern in params["globs"]])
    held = [name for name in names if known[name]["held"] or any(each.match(name) for each in expressions)]
    return {"held": held, "open": [name for name in names if name not in held]}


@probe("needrestart", source="/etc/needrestart/needrestart.conf, as Perl reads it")
def needrestart(host: Host, params: Params) -> dict[str, Any]:
    """Return {installed, restart}: `l` lists only, `i` asks, `a` restarts services by itself; null if not installed."""
    if "needrestart" not in installed(host):
        return {"installed": False, "restart": None}
    answer = host.run(["perl", "-e", _ASK, _NEEDRESTART]).require_ok().stdout.strip()
    if answer not in ("l", "i", "a"):
        raise ProbeError(f"{_NEEDRESTART} sets restart to {answer!r}, wanted l, i or a")
    return {"installed": True, "restart": answer}


def _compiled(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        # unattended-upgrades stops at it as well: nothing is upgraded, and nobody knows what would be.
        raise ProbeError(
            f"Unattended-Upgrade::Package-Blacklist has {text!r}, no regular expression: {error}"
        ) from None
