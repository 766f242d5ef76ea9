# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""docs/coverage.md: what becomes of every recommendation of the CIS benchmark, by ids only.

A recommendation has controls, a reason why it is not applied, or both; one that has neither is an error.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rampart.dev import render
from rampart.dev.catalogue import Role
from rampart.dev.frameworks import Framework, Recommendation

CIS = "cis_debian12"
_HEADER = ("recommendation", "level", "assessed", "controls", "applied by default")

_FRAMEWORK_HEADER = ("framework", "version", "ids", "controls that refer to it", "source")

Control = Mapping[str, Any]


def controls_by_recommendation(roles: Iterable[Role]) -> dict[str, list[Control]]:
    """The controls that name each recommendation."""
    found: dict[str, list[Control]] = defaultdict(list)
    for role in roles:
        for control in role.controls:
            for each in (control.get("refs") or {}).get(CIS, ()):
                found[each].append(control)
    return dict(found)


def uncovered(
    known: Iterable[Recommendation], controls: Mapping[str, list[Control]], reasons: Mapping[str, str]
) -> list[str]:
    """Recommendations with neither a control nor a reason."""
    return [each.id for each in known if each.id not in controls and each.id not in reasons]


def unknown_refs(roles: Iterable[Role], known: Mapping[str, Framework]) -> list[str]:
    """References of controls that no framework has, each as a sentence."""
    found = []
    for role in roles:
        for control in role.controls:
            for key, ids in (control.get("refs") or {}).items():
                if key not in known:
                    found.append(f"{control['id']}: no framework {key}, wanted one of {', '.join(sorted(known))}")
                    continue
                strange = sorted(set(ids) - known[key].ids)
                found += [f"{control['id']}: {known[key].short} {known[key].version} has no {each}" for each in strange]
    return found


def applied(controls: list[Control], reason: str | None) -> str:
    """Whether a hardened host follows a recommendation: yes, in which modes, or why not."""
    if reason is not None:
        return f"no: {reason}"
    if not controls:
        return "no"
    limits: set[str] = set()
    differs: set[str] = set()
    anywhere = False
    for control in controls:
        modes = (control.get("applies") or {}).get("modes")
        limits.update(modes or ())
        anywhere = anywhere or not modes
        for variant in control.get("variants") or ():
            differs.update(variant["when"].get("modes", ()))
    words = "yes" if anywhere else f"by mode: {', '.join(sorted(limits))}"
    return f"{words}; differs in mode {', '.join(sorted(differs))}" if differs else words


def document(
    roles: list[Role], known: list[Recommendation], reasons: Mapping[str, str], frameworks: Mapping[str, Framework]
) -> str:
    """The text of docs/coverage.md."""
    controls = controls_by_recommendation(roles)
    rows = [(each, controls.get(each.id, []), reasons.get(each.id)) for each in known]
    about = frameworks[CIS]
    source = "roles/*/controls/ and src/rampart/dev/data/"
    lines = [render.NOTICE.format(source=source), "", "# Coverage", ""]
    lines += [
        f"What becomes of each of the {len(known)} recommendations of the {about.title} v{about.version}:",
        "the controls that measure it, and whether a host that Rampart hardened follows it with the defaults. Levels",
        "are those for servers. Ids only: what a recommendation says stands in the benchmark, what a control measures",
        "in [controls](controls.md).",
        "",
        *render.table(("level", "recommendations", "with a control", "applied by default"), _figures(rows)),
        "",
        "## Recommendations",
        "",
        *render.table(_HEADER, (_row(*row) for row in rows)),
        "",
        "## Frameworks that controls refer to",
        "",
        *render.table(
            ("framework", "version", "ids", "controls that refer to it", "source"), _frameworks(roles, frameworks)
        ),
        "",
    ]
    return "\n".join(lines)


Row = tuple[Recommendation, list[Control], str | None]


def _row(recommendation: Recommendation, controls: list[Control], reason: str | None) -> tuple[str, ...]:
    return (
        recommendation.id,
        f"L{recommendation.level}",
        "automated" if recommendation.automated else "manual",
        ", ".join(sorted(control["id"] for control in controls)),
        applied(controls, reason),
    )


def _figures(rows: list[Row]) -> Iterator[tuple[str, ...]]:
    every: Counter[str] = Counter()
    having: Counter[str] = Counter()
    done: Counter[str] = Counter()
    for recommendation, controls, reason in rows:
        for level in (f"L{recommendation.level}", "both"):
            every[level] += 1
            having[level] += bool(controls)
            done[level] += reason is None and bool(controls)
    for level in ("L1", "L2", "both"):
        yield level, str(every[level]), str(having[level]), str(done[level])


def _frameworks(roles: list[Role], frameworks: Mapping[str, Framework]) -> Iterator[tuple[str, ...]]:
    for key, framework in frameworks.items():
        users = sum(1 for role in roles for control in role.controls if (control.get("refs") or {}).get(key))
        yield framework.title, framework.version, str(len(framework.ids)), str(users), framework.source
