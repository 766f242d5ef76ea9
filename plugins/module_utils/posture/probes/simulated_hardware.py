# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What of a host's hardware is a replay of recorded answers, so that no report passes for one of a real machine."""

from __future__ import annotations

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

# Whoever replays hardware writes into it what it is, a word a line. It changes no verdict.
MARKER = "/run/rampart-lab/simulated-hardware"


@probe("simulated_hardware", source=MARKER)
def simulated_hardware(host: Host, params: Params) -> list[str]:
    """Return the kinds of hardware that are simulated, such as gpu; an empty list on every real host."""
    try:
        return sorted({line.strip() for line in host.read_text(MARKER).splitlines() if line.strip()})
    except Absent:
        return []
