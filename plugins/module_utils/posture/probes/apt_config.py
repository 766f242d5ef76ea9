# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The settings of apt as apt itself reads them, drop-ins merged."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.posture.subject import require_subject

_LINE = re.compile(r'(\S+) "(.*)";')
_TRUE = ("yes", "true", "with", "on", "enable", "1")
_FALSE = ("no", "false", "without", "off", "disable", "0")


@probe("apt_config", source="apt-config dump")
def apt_config(host: Host, params: Params) -> dict[str, Any]:
    """Return the settings by their whole name in lower case, such as `apt::install-recommends`; lists as lists.

    Words that apt takes for a boolean (yes, true, on, 1, ...) are true and false; other numbers stay text. The name of
    a list has no `::` at its end. Absent when there is no apt.
    """
    require_subject(host, "apt-config", "apt", "apt is not installed")
    dump = host.run(["apt-config", "dump"]).require_ok().stdout
    settings: dict[str, Any] = {}
    for match in filter(None, map(_LINE.fullmatch, dump.splitlines())):
        name, value = match.group(1).lower(), match.group(2)
        if name.endswith("::"):
            listed = settings.get(name[:-2])
            settings[name[:-2]] = [*listed, value] if isinstance(listed, list) else [value]
        elif value:
            settings[name] = _value(value)
    if not settings:
        raise ProbeError(f"apt-config dump printed no settings: {dump[:60]!r}")
    return settings


def _value(text: str) -> Any:
    if text.lower() in _TRUE:
        return True
    return False if text.lower() in _FALSE else text
