# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the tools of the shadow suite give to new accounts and passwords."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe


@probe("login_defs", source="/etc/login.defs")
def login_defs(host: Host, params: Params) -> dict[str, Any]:
    """Return the settings of login.defs(5) by name, as the tools read them at each call: the last line wins.

    Decimal numbers are ints, but numbers with a leading zero (UMASK, HOME_MODE) stay text. The tools keep no state of
    their own, so that this file is the running state.
    """
    settings: dict[str, Any] = {}
    for line in host.read_text("/etc/login.defs").splitlines():
        words = line.partition("#")[0].split(None, 1)
        if words:
            settings[words[0]] = _value(words[1].strip().strip('"') if len(words) > 1 else "")
    return settings


def _value(text: str) -> Any:
    plain = text.lstrip("-")
    return int(text) if plain.isdigit() and (plain == "0" or not plain.startswith("0")) else text
