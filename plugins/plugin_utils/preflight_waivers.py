# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Files of waivers as preflight sees them: can they be read, and is none of the host's out of date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase

from .posture.waivers import WANTED, read_waivers
from .preflight import Problem


@dataclass
class WaiverProblems:
    """What is wrong with the waivers: those that cannot be meant as they are, and those of this host out of date."""

    malformed: list[Problem] = field(default_factory=list)
    expired: list[Problem] = field(default_factory=list)


def check_waiver_files(
    paths: Sequence[str], host: str, fleet: Sequence[str] = (), today: date | None = None
) -> WaiverProblems:
    """Return the problems of the files; today (default: the day in UTC) decides what is out of date.

    A waiver for hosts of which the `fleet` has none covers nothing: it is a problem, unless the fleet is not known.
    """
    day = today or datetime.now(UTC).date()
    reading = read_waivers(paths)
    return WaiverProblems(
        malformed=[
            Problem(place, problem, f"waivers {WANTED}", "Correct the file; no waiver is applied until it can be read.")
            for place, problem in reading.problems
        ]
        + [
            Problem(
                f"{place} ({waiver.control}, owner {waiver.owner})",
                f"covers hosts {', '.join(waiver.hosts)}, and the inventory has none of them",
                "hosts of the group rampart",
                "Correct the pattern, or delete the waiver.",
            )
            for place, waiver in reading.waivers
            if fleet and not any(fnmatchcase(name, glob) for name in fleet for glob in waiver.hosts)
        ],
        expired=[
            Problem(
                f"{place} ({waiver.control}, owner {waiver.owner})",
                f"expired on {waiver.expires.isoformat()}",
                f"a day not before {day.isoformat()}",
                "Fix the control and remove the waiver, or have its owner decide again and set a new day.",
            )
            for place, waiver in reading.waivers
            if waiver.expired(day) and any(fnmatchcase(host, glob) for glob in waiver.hosts)
        ],
    )
