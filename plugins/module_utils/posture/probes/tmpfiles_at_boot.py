# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What systemd-tmpfiles does with a path at every boot; some switches of the kernel have no other place."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe


@probe("tmpfiles_at_boot", required=("path",), source="systemd-tmpfiles --cat-config: {path}")
def tmpfiles_at_boot(host: Host, params: Params) -> dict[str, Any]:
    """Return {type, argument, file} of the line that is carried out last; Absent when no file speaks of the path.

    `systemd-tmpfiles` merges the folders of tmpfiles.d itself, so that what a file of /etc hides is not seen.
    """
    text = host.run(["systemd-tmpfiles", "--cat-config"]).require_ok().stdout
    file, found = "", None
    for line in text.splitlines():
        if line.startswith("# /") and line.endswith(".conf"):
            file = line[2:]
        words = line.split(None, 6)
        if len(words) > 1 and not line.startswith("#") and words[1].strip('"') == params["path"]:
            argument = words[6] if len(words) > 6 else ""
            found = {"type": words[0], "argument": argument, "file": file}
    if found is None:
        raise Absent(f"no file of tmpfiles.d speaks of {params['path']}")
    return found
