# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The engine's decision about the fleet, as the report holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.verdict import verdict

Json = dict[str, Any]


def judge(hosts: Sequence[Json], fail_on: str, waivers: Sequence[Json] = ()) -> Json:
    """Return the report's ``verdict`` for entries of ``hosts`` and ``waivers``."""
    return dict(verdict(hosts, fail_on, waivers))
