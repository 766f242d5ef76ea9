# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The engine's decision about the fleet, as the report holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.verdict import MIN_COVERAGE, verdict

Json = dict[str, Any]


def judge(
    hosts: Sequence[Json], fail_on: str, waivers: Sequence[Json] = (), min_coverage: float = MIN_COVERAGE
) -> Json:
    """Return the report's ``verdict`` for entries of ``hosts`` and ``waivers``; ``min_coverage`` in percent."""
    return dict(verdict(hosts, fail_on, waivers, min_coverage=min_coverage))
