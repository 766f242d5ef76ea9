# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Hold a report against its published schema, so that nothing undocumented is ever written."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible_collections.rampart.fleet.plugins.plugin_utils.report.shape import follows

SCHEMA_PATH = Path(__file__).resolve().parent.parent / "posture" / "report.schema.json"


class ReportInvalid(Exception):
    """The report does not follow report.schema.json."""


def schema() -> dict[str, Any]:
    """Return the schema of posture.json."""
    content: dict[str, Any] = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    return content


@lru_cache(maxsize=1)
def _follows() -> Callable[[Any], bool]:
    return follows(schema())


def validate(report: dict[str, Any]) -> None:
    """Raise ReportInvalid naming the first faults, each with its place in the report."""
    if _follows()(report):
        return
    # The library takes longer to load than a good report takes to be checked.
    from jsonschema import Draft202012Validator

    faults = sorted(
        Draft202012Validator(schema()).iter_errors(report), key=lambda fault: list(map(str, fault.absolute_path))
    )
    lines = [f"  at {fault.json_path}: {fault.message[:300]}" for fault in faults[:5]]
    more = f"\n  and {len(faults) - 5} more" if len(faults) > 5 else ""
    raise ReportInvalid("the report does not follow report.schema.json:\n" + "\n".join(lines) + more)
