# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Which processes AppArmor confines, and which run outside a profile that was written for their program."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_POLICY = "/sys/kernel/security/apparmor/policy/profiles"
_ENABLED = "/sys/module/apparmor/parameters/enabled"
_HEADER = re.compile(r'^profile\s+"?([^"\s{]+)"?\s+"?(/[^"\s]+)"?', re.M)


@probe("apparmor_processes", source="/proc/*/attr/apparmor/current; /etc/apparmor.d; " + _POLICY)
def apparmor_processes(host: Host, params: Params) -> dict[str, Any]:
    """Return {confined, complain: [{path, profile}], outside: [{path, profile}]}.

    `outside` are programs that run unconfined although a loaded profile is attached to their path: they were started
    before it was loaded. Absent without AppArmor.
    """
    try:
        enabled = host.read_text(_ENABLED).strip() == "Y"
    except Absent:
        raise Absent("this kernel has no AppArmor") from None
    if not enabled:
        raise Absent("AppArmor is switched off")
    attached = _attached(host)
    confined, complain, outside = 0, {}, {}
    for pid in (name for name in host.listdir("/proc") if name.isdigit()):
        label, program = _process(host, pid)
        if not label or not program:
            continue
        if label == "unconfined" or label.endswith("(unconfined)"):
            if program in attached:
                outside[program] = attached[program]
        else:
            confined += 1
            if label.endswith("(complain)"):
                complain[program] = label.rpartition(" ")[0]
    return {"confined": confined, "complain": _pairs(complain), "outside": _pairs(outside)}


def _pairs(found: dict[str, str]) -> list[dict[str, str]]:
    return [{"path": path, "profile": profile} for path, profile in sorted(found.items())]


def _attached(host: Host) -> dict[str, str]:
    """Return the profiles that confine, by the path of the program; paths with patterns are not looked at."""
    if not host.exists(_POLICY):
        raise ProbeError(f"AppArmor is enabled and {_POLICY} is not there: is securityfs mounted?")
    written = _written(host)
    found = {}
    for path in host.glob(f"{_POLICY}/*/name"):
        folder, name = path.rpartition("/")[0], host.read_text(path).strip()
        if host.read_text(f"{folder}/mode").strip() in ("enforce", "complain", "kill"):
            # Kernels before 6.9 say `<unknown>` of an attachment; a profile without a name of its own is named by it.
            told = (name, host.read_text(f"{folder}/attach").strip(), written.get(name, ""))
            found.update({program: name for attachment in told for program in _programs(attachment)})
    return found


def _written(host: Host) -> dict[str, str]:
    """Return the attachments of named profiles as the files of profiles have them, by name."""
    texts = [host.read_text(path) for path in host.glob("/etc/apparmor.d/*") if host.stat(path).type == "file"]
    return {name: attachment for text in texts for name, attachment in _HEADER.findall(text)}


def _programs(attach: str) -> list[str]:
    """Return the paths that an attachment such as `/{,usr/}sbin/dhclient` stands for; none for `*` and the like."""
    match = re.search(r"\{([^{}]*)\}", attach)
    if match is not None:
        head, tail = attach[: match.start()], attach[match.end() :]
        return [program for part in match.group(1).split(",") for program in _programs(head + part + tail)]
    return [attach] if attach.startswith("/") and not set(attach) & set("*?[]@") else []


def _process(host: Host, pid: str) -> tuple[str, str]:
    try:
        label = host.read_text(f"/proc/{pid}/attr/apparmor/current").strip("\n\0 ")
        return label, host.readlink(f"/proc/{pid}/exe").replace(" (deleted)", "")
    except (Absent, ProbeError):
        # It ended meanwhile, or is a thread of the kernel, which has no program.
        return "", ""
