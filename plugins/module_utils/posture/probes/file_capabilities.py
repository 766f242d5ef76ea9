# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Programs that have rights of root without being setuid."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.patterns import any_of
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_LINE = re.compile(r"(?P<path>/.*?)(?: =)? (?P<capabilities>[a-z_,0-9]*[=+][a-z]+.*)")


@probe("file_capabilities", required=("roots",), optional=("allow",), source="getcap -r {roots}")
def file_capabilities(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return [{path, capabilities}] of files below `roots` that have some, without those that `allow` names (patterns).

    Roots that do not exist are left out. ProbeError when getcap says what cannot be understood.
    """
    roots = [str(root) for root in params["roots"] if host.exists(str(root))]
    if not roots:
        raise ProbeError(f"none of {', '.join(map(str, params['roots']))} is there, wanted a folder with programs")
    allowed = any_of(str(pattern) for pattern in params.get("allow", []))
    answer = host.run(["getcap", "-r", *roots], timeout=20.0).require_ok()
    found = [_entry(line) for line in answer.stdout.splitlines() if line.strip()]
    return [one for one in found if not allowed(one["path"])]


def _entry(line: str) -> dict[str, Any]:
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise ProbeError(f"getcap says {line.strip()!r}, wanted a path and its capabilities")
    return match.groupdict()
