# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What an earlier run would have come to under the controls of today, so that a changed rule is no change of a host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.evaluate import evaluate
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import Observation, is_external, probe_key
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.diff import Outcome, Snapshot, outcome_of

Json = dict[str, Any]


@dataclass(frozen=True)
class Evidence:
    """What a run kept of a host: its context, and its observations in their stored form."""

    context: Json
    observations: Json


@dataclass(frozen=True)
class Rejudged:
    """An earlier run as today's controls see it, and each result that differs only because the rule did.

    `changes` are {(host, control): (before, after)}; after is None when the run kept no evidence that can tell.
    """

    snapshot: Snapshot
    changes: Mapping[tuple[str, str], tuple[Outcome, Outcome | None]]


def rejudge(before: Snapshot, after: Snapshot, evidence: Mapping[str, Evidence]) -> Rejudged:
    """Judge the results of `before` anew where the definition of a control differs from that of `after`."""
    results = dict(before.results)
    changes: dict[tuple[str, str], tuple[Outcome, Outcome | None]] = {}
    for (host, control), outcome in before.results.items():
        definition = after.definitions.get(control)
        if definition is None or before.definitions.get(control) in (None, definition):
            continue
        told = _outcome(definition, evidence.get(host), after.settings.get((host, control), {}), outcome)
        if told is None:
            del results[host, control]
        else:
            results[host, control] = told
        if told != outcome:
            changes[host, control] = (outcome, told)
    return Rejudged(before.with_results(results), changes)


def _outcome(definition: Json, kept: Evidence | None, settings: Json, outcome: Outcome) -> Outcome | None:
    """Return None when the run did not measure what the new definition looks at."""
    if kept is None or not _measured(definition, kept.observations):
        return None
    observations = {key: Observation.from_json(found) for key, found in kept.observations.items()}
    # A waiver is a decision of its day: whether it still holds is told by the run that is judged now.
    result = evaluate(definition, observations, kept.context, (), date.min, {str(definition["id"]): settings})
    told = outcome_of(result.to_json())
    waived = outcome.state == "waived" and told.state == "fail"
    return Outcome(told.severity, outcome.state, told.observed) if waived else told


def _measured(definition: Json, observations: Mapping[str, Any]) -> bool:
    return all(probe_key(probe) in observations or is_external(probe) for probe in definition.get("probes", ()))
