# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Units as they lie on the disk, which is what the next boot reads; systemctl tells what was read last."""

from __future__ import annotations

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host

# Where systemd looks for units, first one first; what it makes of fstab stands between the two.
SITE = ("/etc/systemd/system", "/run/systemd/system")
VENDOR = ("/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
# Where else it looks: what programs put there for a while, what `systemctl set-property` and generators write.
PASSING = (
    *(f"{base}/systemd/system.{what}" for base in ("/etc", "/run") for what in ("control", "attached")),
    *(f"/run/systemd/{what}" for what in ("transient", "generator.early", "generator", "generator.late")),
)


def unit_text(host: Host, unit: str) -> str:
    """Return a unit's file and its drop-ins as one text, in the order in which they count; empty when it is masked.

    Empty as well when there is no such unit.
    """
    for folder in (*SITE, *VENDOR):
        file = f"{folder}/{unit}"
        if stands(host, file):
            if masked(host, file):
                return ""
            return "\n".join(host.read_text(one) for one in (file, *drop_ins(host, unit)))
    return ""


def drop_ins(host: Host, unit: str) -> list[str]:
    """Return the drop-ins of a unit in the order in which they are read; the same name further up stands for it."""
    found: dict[str, str] = {}
    for folder in (*VENDOR, *reversed(SITE)):
        found.update({path.rsplit("/", 1)[-1]: path for path in host.glob(f"{folder}/{unit}.d/*.conf")})
    return [found[name] for name in sorted(found)]


def stands(host: Host, path: str) -> bool:
    """Say whether there is something at a path, be it a link that leads nowhere."""
    try:
        host.stat(path, follow=False)
    except Absent:
        return False
    return True


def masked(host: Host, path: str) -> bool:
    """Say whether a unit's file is a link to nothing."""
    return host.stat(path, follow=False).type == "link" and host.readlink(path) == "/dev/null"
