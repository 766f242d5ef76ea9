# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Words and numbers for people, said the same way in the terminal, the page and the failure message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

SEVERITIES = ("critical", "high", "medium", "low", "info")
STATES = ("pass", "fail", "waived", "not_applicable", "manual", "error", "unknown", "conflict")
UNDECIDED = ("error", "unknown", "conflict")


def severity_rank(severity: str) -> int:
    """Return 0 for the gravest severity; an unknown word ranks last."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def say(value: Any, limit: int = 160) -> str:
    """Return JSON data as one line of at most ``limit`` characters; text stays text."""
    line = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    if not line.isprintable():
        line = "".join(c if c.isprintable() else " " for c in line)
    line = " ".join(line.split())
    return line if len(line) <= limit else line[: limit - 3].rstrip() + "..."


def percent(value: float | None) -> str:
    """Return ``97.1``, or ``-`` where nothing was scored."""
    return "-" if value is None else f"{value:.1f}"


def simulated(host: Mapping[str, Any]) -> list[str]:
    """Return the kinds of a host's hardware that are a replay of recorded answers; empty for a real host."""
    return [say(kind, 32) for kind in (host.get("context") or {}).get("simulated") or []]


def plural(count: int, noun: str) -> str:
    """Return ``1 host`` or ``2 hosts``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
