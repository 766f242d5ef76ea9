# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Files of waivers as preflight sees them: can they be read, and is none of the host's out of date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from .preflight import Problem

_KEYS = ("control", "hosts", "owner", "reason", "expires")
_SHAPE = "{control, hosts: [glob], owner, reason, expires: YYYY-MM-DD, ticket?}"


@dataclass
class WaiverProblems:
    """What is wrong with the waivers: those that cannot be read, and those of this host that are out of date."""

    malformed: list[Problem] = field(default_factory=list)
    expired: list[Problem] = field(default_factory=list)


def check_waiver_files(paths: Sequence[str], host: str, today: date | None = None) -> WaiverProblems:
    """Return the problems of the files; today (default: the day in UTC) decides what is out of date."""
    day = today or datetime.now(UTC).date()
    problems = WaiverProblems()
    for path in paths:
        _check_file(Path(path), host, day, problems)
    return problems


def _check_file(path: Path, host: str, day: date, problems: WaiverProblems) -> None:
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        text = " ".join(str(error).split())
        problems.malformed.append(_malformed(f"waiver file {path}", text, "a readable YAML list"))
        return
    if isinstance(entries, Mapping) and list(entries) == ["waivers"]:
        entries = entries["waivers"] or []
    if not isinstance(entries, list):
        problems.malformed.append(_malformed(f"waiver file {path}", type(entries).__name__, f"a list of {_SHAPE}"))
        return
    for number, entry in enumerate(entries, start=1):
        _check_entry(entry, f"waiver {number} of {path}", host, day, problems)


def _check_entry(entry: Any, where: str, host: str, day: date, problems: WaiverProblems) -> None:
    reason = _why_malformed(entry)
    if reason:
        problems.malformed.append(_malformed(where, reason, _SHAPE))
        return
    expires = _day(entry["expires"])
    if expires is not None and expires < day and any(fnmatchcase(host, str(glob)) for glob in entry["hosts"]):
        problems.expired.append(
            Problem(
                f"{where} ({entry['control']}, owner {entry['owner']})",
                f"expired on {expires.isoformat()}",
                f"a day not before {day.isoformat()}",
                "Fix the control and remove the waiver, or have its owner decide again and set a new day.",
            )
        )


def _why_malformed(entry: Any) -> str | None:
    if not isinstance(entry, Mapping):
        return f"{entry!r}"
    missing = [key for key in _KEYS if not entry.get(key)]
    if missing:
        return f"no {', '.join(missing)}"
    unknown = sorted(str(key) for key in entry if key not in (*_KEYS, "ticket"))
    if unknown:
        return f"unknown keys {', '.join(unknown)}"
    if not isinstance(entry["hosts"], list):
        return f"hosts {entry['hosts']!r}, not a list"
    return None if _day(entry["expires"]) else f"expires {entry['expires']!r}, not a day"


def _day(value: Any) -> date | None:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None


def _malformed(where: str, found: str, wanted: str) -> Problem:
    return Problem(where, found, wanted, "Correct the file; no waiver is applied until it can be read.")
