# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What is different between two runs; hosts that one of them could not measure are set apart, not counted as fixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.rampart.fleet.plugins.plugin_utils.report.text import say, severity_rank

Json = dict[str, Any]
OBSERVED_LIMIT = 2000  # characters kept of what a control observed: enough to read, bounded for the history


@dataclass(frozen=True)
class Outcome:
    """One control on one host; ``observed`` is one line of text."""

    severity: str
    state: str
    observed: str


@dataclass
class Snapshot:
    """What a comparison needs of a run: results by (host, control), and which hosts were measured."""

    id: str
    finished: str
    state: str
    score: float | None
    catalogue: str
    hosts: dict[str, bool] = field(default_factory=dict)
    results: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    #: The controls as they were judged, by id; empty for a run of which that was not kept.
    definitions: dict[str, Json] = field(default_factory=dict)
    #: A site's values of parameters by (host, control), where there are any.
    settings: dict[tuple[str, str], Json] = field(default_factory=dict)

    def with_results(self, results: dict[tuple[str, str], Outcome]) -> Snapshot:
        """Return the same run with other results."""
        return replace(self, results=results)


def snapshot(report: Json) -> Snapshot:
    """Return the comparable part of a report."""
    run, verdict = report["run"], report["verdict"]
    taken = Snapshot(run["id"], run["finished"], verdict["state"], verdict["score"], run["catalogue_sha256"])
    for host in report["hosts"]:
        taken.hosts[host["name"]] = host["state"] == "measured"
        for result in host["results"]:
            taken.results[host["name"], result["id"]] = outcome_of(result)
            if result.get("parameters"):
                chosen = {name: each["value"] for name, each in result["parameters"].items()}
                taken.settings[host["name"], result["id"]] = chosen
    for name, control in report["controls"].items():
        if "definition" in control:
            taken.definitions[name] = control["definition"]
    return taken


def outcome_of(result: Json) -> Outcome:
    """Return the comparable part of an entry of ``results``."""
    return Outcome(result["severity"], result["state"], say(result.get("observed"), OBSERVED_LIMIT))


def _change(key: tuple[str, str], before: Outcome | None, after: Outcome | None) -> Json:
    known = after or before
    return {
        "host": key[0],
        "control": key[1],
        "severity": known.severity if known else "info",
        "before": before.state if before else None,
        "after": after.state if after else None,
        "observed_before": before.observed if before else None,
        "observed_after": after.observed if after else None,
    }


def _kind(before: Outcome | None, after: Outcome) -> str | None:
    if after.state == "fail" and (before is None or before.state != "fail"):
        return "new_failures"
    if before is None:
        return None
    if before.state == "fail" and after.state == "pass":
        return "fixed"
    if before.state != after.state:
        return "changed_states"
    return "changed_values" if before.observed != after.observed else None


def diff(before: Snapshot, after: Snapshot) -> Json:
    """Return the changes from ``before`` to ``after`` as report.schema.json has them, gravest first."""
    changes: dict[str, list[Json]] = {"new_failures": [], "fixed": [], "changed_states": [], "changed_values": []}
    for key, outcome in after.results.items():
        earlier = before.results.get(key)
        kind = _kind(earlier, outcome)
        if kind:
            changes[kind].append(_change(key, earlier, outcome))
    for rows in changes.values():
        rows.sort(key=lambda row: (severity_rank(row["severity"]), row["control"], row["host"]))
    controls_before = {control for _unused, control in before.results}
    controls_after = {control for _unused, control in after.results}
    both = before.hosts.keys() & after.hosts.keys()
    return {
        "since": {"id": before.id, "finished": before.finished, "state": before.state, "score": before.score},
        **changes,
        "controls_appeared": sorted(controls_after - controls_before),
        "controls_disappeared": sorted(controls_before - controls_after),
        "hosts_appeared": sorted(after.hosts.keys() - before.hosts.keys()),
        "hosts_disappeared": sorted(before.hosts.keys() - after.hosts.keys()),
        "hosts_lost": sorted(name for name in both if before.hosts[name] and not after.hosts[name]),
        "hosts_regained": sorted(name for name in both if after.hosts[name] and not before.hosts[name]),
        "catalogue_changed": before.catalogue != after.catalogue,
        "catalogue_changes": [],
    }


def changes_of(pairs: Mapping[tuple[str, str], tuple[Outcome, Outcome | None]]) -> list[Json]:
    """Return entries of changes, gravest first."""
    rows = [_change(key, before, after) for key, (before, after) in pairs.items()]
    return sorted(rows, key=lambda row: (severity_rank(row["severity"]), row["control"], row["host"]))


#: What may count as drift, and the lists of a comparison that hold it.
DRIFTS = {
    "verdict": ("new_failures", "changed_states"),
    "value": ("changed_values",),
    "catalogue": ("catalogue_changes",),
}


def drift_reasons(changes: Json, kinds: Sequence[str]) -> list[str]:
    """Return a sentence for each kind of drift that a comparison shows."""
    since = changes["since"]["id"]
    reasons = []
    for kind in kinds:
        rows = [row for name in DRIFTS[kind] for row in changes[name]]
        if rows:
            first = rows[0]
            shown = f"{first['control']} on {first['host']}" + (f" and {len(rows) - 1} more" if len(rows) > 1 else "")
            reasons.append(f"{kind} drift since run {since}: {shown}")
    return reasons


def is_empty(changes: Json) -> bool:
    """Tell whether nothing at all is different."""
    return not any(value for key, value in changes.items() if key != "since")
