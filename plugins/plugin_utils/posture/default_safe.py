# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Which controls a fresh installation passes, recorded on a lab host of each release: no role takes the merit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

RECORD = Path(__file__).with_name("default_safe.json")


def default_safe(context: Mapping[str, Any]) -> frozenset[str]:
    """Return the ids for the release of a host's context; empty when none was recorded for it."""
    system = context.get("os") or {}
    return _recorded().get(f"{system.get('id')}{system.get('version')}", frozenset())


@cache
def _recorded() -> dict[str, frozenset[str]]:
    return {release: frozenset(ids) for release, ids in json.loads(RECORD.read_text(encoding="utf-8")).items()}
