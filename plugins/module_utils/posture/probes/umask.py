# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The mask with which a login session makes files."""

from __future__ import annotations

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

# One session answers everything that is asked about sessions; the host remembers a command that was run.
_SESSION = ("su", "-s", "/bin/sh", "nobody", "-c", "umask; ulimit -Sc; ulimit -Hc")


@probe("umask", source="umask of a PAM session of nobody (su)")
def umask(host: Host, params: Params) -> str:
    """Return the mask of a new session as four octal digits, such as `0027`; PAM, not a file, is asked."""
    text = session(host)[0]
    try:
        return f"{int(text, 8):04o}"
    except ValueError as error:
        raise ProbeError(f"a session of nobody said that its umask is {text!r}, wanted octal digits") from error


def session(host: Host) -> list[str]:
    """Return what a new session of nobody says: umask, and the soft and hard limit of core files (ulimit's units)."""
    lines = host.run(_SESSION).require_ok().stdout.split()
    if len(lines) < 3:
        raise ProbeError(f"a session of nobody answered {' '.join(lines)!r}, wanted three words")
    strange = [limit for limit in lines[-2:] if not limit.isdigit() and limit != "unlimited"]
    if strange:
        raise ProbeError(f"a session of nobody has core file limits {' '.join(strange)!r}, wanted numbers")
    return lines[-3:]
