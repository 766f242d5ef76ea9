# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Hold a report against its published schema, so that nothing undocumented is ever written."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA_PATH = Path(__file__).resolve().parent.parent / "posture" / "report.schema.json"


class ReportInvalid(Exception):
    """The report does not follow report.schema.json."""


@lru_cache(maxsize=1)
def validator() -> Draft202012Validator:
    """Return the validator of posture.json; the schema itself is checked first."""
    schema = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def validate(report: dict[str, Any]) -> None:
    """Raise ReportInvalid naming the first faults, each with its place in the report."""
    faults = sorted(validator().iter_errors(report), key=lambda fault: list(map(str, fault.absolute_path)))
    if faults:
        lines = [f"  at {fault.json_path}: {fault.message[:300]}" for fault in faults[:5]]
        more = f"\n  and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise ReportInvalid("the report does not follow report.schema.json:\n" + "\n".join(lines) + more)
