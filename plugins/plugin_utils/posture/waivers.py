# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Written exceptions: load files of waivers, and say exactly where one cannot be meant as it is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import Result, Waiver

WANTED = (
    "{control, hosts: [glob], owner, reason, ticket, compensating_control, created: YYYY-MM-DD, expires: YYYY-MM-DD}"
)
#: A decision about a risk is taken again twice a year at the latest.
MAX_DAYS = 180
_TEXTS = ("control", "owner", "reason", "ticket", "compensating_control")
_DAYS = ("created", "expires")


class WaiverError(Exception):
    """Waivers that cannot be used; the message lists every problem with file, number and key."""


@dataclass(frozen=True)
class WaiverUse:
    """A waiver and whether it took part on a host: a control of that name exists there, and it failed."""

    waiver: Waiver
    matched: bool
    expired: bool

    def to_json(self) -> dict[str, Any]:
        """Return the entry of a report."""
        return {**self.waiver.to_json(), "matched": self.matched, "expired": self.expired}


@dataclass(frozen=True)
class Reading:
    """What files of waivers say: each waiver with its place, and each problem as (place, what is wrong there)."""

    waivers: list[tuple[str, Waiver]]
    problems: list[tuple[str, str]]


def read_waivers(paths: Sequence[str], known: frozenset[str] | None = None) -> Reading:
    """Read every file; a control that is not `known` is a problem (None: any id will do)."""
    reading = Reading([], [])
    for path in paths:
        for place, entry in _entries(Path(path), reading):
            wrong = list(_problems(entry, known))
            reading.problems.extend((place, problem) for problem in wrong)
            if not wrong:
                reading.waivers.append((place, _waiver(entry)))
    return reading


def load_waivers(paths: Sequence[str], known: frozenset[str]) -> list[Waiver]:
    """Return the waivers of all files; WaiverError when any is malformed or names a control that does not exist."""
    reading = read_waivers(paths, known)
    if reading.problems:
        told = "\n  ".join(f"{place}: {problem}" for place, problem in reading.problems)
        raise WaiverError(f"the waivers cannot be used:\n  {told}")
    return [waiver for _place, waiver in reading.waivers]


def _entries(path: Path, reading: Reading) -> Iterator[tuple[str, Any]]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reading.problems.append((str(path), f"cannot be read: {' '.join(str(error).split())}"))
        return
    if isinstance(document, Mapping) and list(document) == ["waivers"]:
        document = document["waivers"] or []
    if not isinstance(document, list):
        reading.problems.append((str(path), f"found {type(document).__name__}, wanted a list of waivers"))
        return
    for number, entry in enumerate(document, start=1):
        yield f"{path}, waiver {number}", entry


def _problems(entry: Any, known: frozenset[str] | None) -> Iterator[str]:
    if not isinstance(entry, Mapping):
        yield f"found {entry!r}, wanted {WANTED}"
        return
    for key in sorted(set(map(str, entry)) - {*_TEXTS, *_DAYS, "hosts"}):
        yield f"key '{key}' is not known, wanted {WANTED}"
    for key in _TEXTS:
        # A ticket may be a bare number.
        text = str(entry[key]) if key == "ticket" and isinstance(entry.get(key), int) else entry.get(key)
        if not isinstance(text, str) or not text.strip():
            yield f"key '{key}' is {entry.get(key)!r}, wanted text"
    hosts = entry.get("hosts")
    if not isinstance(hosts, list) or not hosts or not all(isinstance(one, str) and one for one in hosts):
        yield f"key 'hosts' is {hosts!r}, wanted a list of host names or patterns"
    yield from _day_problems(entry)
    control = entry.get("control")
    if known is not None and isinstance(control, str) and control.strip() and control not in known:
        yield f"key 'control' is '{control}', and no control has that id"


def _day_problems(entry: Mapping[str, Any]) -> Iterator[str]:
    for key in _DAYS:
        if _day(entry.get(key)) is None:
            yield f"key '{key}' is {entry.get(key)!r}, wanted a day such as 2027-01-31"
    created, expires = _day(entry.get("created")), _day(entry.get("expires"))
    if created is None or expires is None:
        return
    # The calendar of whoever wrote it may be a day ahead of UTC.
    if created > datetime.now(UTC).date() + timedelta(days=1):
        yield f"key 'created' is {created.isoformat()}, wanted a day that is not in the future"
    if not 0 <= (expires - created).days <= MAX_DAYS:
        last = (created + timedelta(days=MAX_DAYS)).isoformat()
        yield f"key 'expires' is {expires.isoformat()}, wanted a day from 'created' to {MAX_DAYS} days later ({last})"


def _day(value: Any) -> date | None:
    try:
        return value if isinstance(value, date) and not isinstance(value, datetime) else date.fromisoformat(str(value))
    except ValueError:
        return None


def _waiver(entry: Mapping[str, Any]) -> Waiver:
    """Return the waiver of an entry in which no problem was found."""
    created, expires = (date.fromisoformat(str(entry[key])) for key in _DAYS)
    told = {**entry, "created": created.isoformat(), "expires": expires.isoformat()}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()
    return Waiver(
        id=f"W-{digest[:12]}",
        control=entry["control"],
        hosts=tuple(entry["hosts"]),
        owner=entry["owner"],
        reason=entry["reason"],
        created=created,
        expires=expires,
        ticket=str(entry["ticket"]),
        compensating_control=entry["compensating_control"],
    )


def uses(waivers: Sequence[Waiver], results: Sequence[Result], host: str, today: date) -> list[WaiverUse]:
    """Return every waiver with what became of it on this host; one that took part nowhere can be deleted."""
    applied = {result.waiver for result in results if result.waiver}
    return [WaiverUse(waiver, waiver.id in applied, waiver.expired(today)) for waiver in waivers]
