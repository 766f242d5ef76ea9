# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Look at one target by many requests side by side: most of the time of each is waiting for an answer or for none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import Request, measure
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import Observation
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage import kinds

# More than this at once, and a target that limits new connections (MaxStartups of sshd) may refuse one of them.
_SIDE_BY_SIDE = 6


def look(host: Host, requests: Sequence[Request], target: Mapping[str, Any], budget_s: float) -> dict[str, Observation]:
    """Return an observation of the target for every request, by key, within `budget_s` seconds for each of them."""
    known = kinds()

    def one(request: Request) -> dict[str, Observation]:
        aimed = replace(request, params={**request.params, "target": dict(target)})
        return measure(host, [aimed], known, budget_s)

    seen: dict[str, Observation] = {}
    with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
        for found in pool.map(one, requests):
            seen.update(found)
    return seen
