# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the next boot sets kernel parameters to: the files of sysctl.d, of which a later one wins."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.sysctl import key_path
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.sysctl_match import matching_keys
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.sysctl.boot import FOLDERS, boot_values, order, rivals

_BASE = "/proc/sys/"
_SOURCE = "sysctl.d in /etc, /run, /usr/local/lib, /usr/lib"


@probe("sysctl_at_boot", required=("key",), source=_SOURCE + ": {key}")
def sysctl_at_boot(host: Host, params: Params) -> dict[str, Any]:
    """Return {value, file, overridden: [{file, value}]}: what boot sets, by which file, and who else tried.

    Absent when no file sets the key, so that what the kernel has now holds until the next boot only.
    """
    path = key_path(str(params["key"]))[len(_BASE) :]
    found = _told(host, path)
    if found["file"] is None:
        raise Absent(f"no file of sysctl.d sets {params['key']}: after the next boot it has the kernel's own default")
    return {name: found[name] for name in ("value", "file", "overridden")}


@probe("sysctl_match_at_boot", required=("pattern",), source=_SOURCE + ": {pattern}")
def sysctl_match_at_boot(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return [{key, value, file, overridden}] for every parameter that the kernel has and the pattern stands for.

    `value` and `file` are null for a key that no file sets. Absent when this kernel has none of them.
    """
    return [_told(host, key) for key in matching_keys(host, str(params["pattern"]))]


def _told(host: Host, path: str) -> dict[str, Any]:
    files = host.once("sysctl.d", lambda: _files(host))
    winner = boot_values(files, [path]).get(path)
    lost = [each for each in rivals(files, path) if each != winner]
    return {
        "key": path,
        "value": _number(winner.value) if winner else None,
        "file": winner.file if winner else None,
        "overridden": [{"file": each.file, "value": _number(each.value)} for each in lost],
    }


def _files(host: Host) -> list[tuple[str, str]]:
    """Return (path, text) of the files that count, in the order in which boot reads them."""
    paths = [path for folder in FOLDERS for path in host.glob(f"{folder}/*.conf")]
    return [(path, _text(host, path)) for path in order(paths)]


def _text(host: Host, path: str) -> str:
    try:
        return host.read_text(path)
    except Absent:
        # A dangling link hides its namesakes and sets nothing; a file that cannot be read is an error.
        return ""


def _number(value: str) -> Any:
    return int(value) if re.fullmatch(r"-?[0-9]+", value) else value
