# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Everything a run leaves on the controller: the report's four files, and its row in the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.verdict import DRIFT, GOOD
from ansible_collections.rampart.fleet.plugins.plugin_utils.json_text import readable
from ansible_collections.rampart.fleet.plugins.plugin_utils.report import chain, html, junit, prometheus
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.diff import (
    Snapshot,
    changes_of,
    diff,
    drift_reasons,
    snapshot,
)
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.files import Content, write_together
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.formats import export
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.history import History, HistoryError
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.rejudge import rejudge
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.schema import validate
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.signing import SigningError

Json = dict[str, Any]

TREND_RUNS = 30


@dataclass(frozen=True)
class Published:
    """A report as it was written: its files, the end of the history's chain, and why the history could not be used."""

    report: Json
    written: list[Path]
    head: chain.Head | None = None
    fault: str = ""


def compare(report: Json, history: History) -> Json:
    """Return ``report`` with what changed since the last run and the baseline, and the trend before it."""
    now, run_id = snapshot(report), report["run"]["id"]
    if not history.path.exists():
        return {**report, "changes": {"previous": None, "baseline": None}, "trend": []}
    before, base = history.previous(run_id), history.baseline()
    return {
        **report,
        "changes": {
            "previous": changes_since(before, now, history) if before else None,
            "baseline": changes_since(base, now, history) if base else None,
        },
        "trend": [run for run in history.runs(TREND_RUNS) if run["id"] != run_id],
    }


def changes_since(before: Snapshot, now: Snapshot, history: History) -> Json:
    """Return the changes from ``before``, with the results that changed only because their rule did set apart."""
    altered = [
        name
        for name, told in now.definitions.items()
        if name in before.definitions and before.definitions[name] != told
    ]
    if not altered:
        return diff(before, now)
    rejudged = rejudge(before, now, history.evidence(before.id))
    return {**diff(rejudged.snapshot, now), "catalogue_changes": changes_of(rejudged.changes)}


def with_drift(report: Json, kinds: Sequence[str]) -> Json:
    """Return ``report`` with a verdict of drift, when nothing graver was found and any of ``kinds`` of drift was.

    Compared with the accepted baseline, or with the run before where there is none.
    """
    changes = report["changes"]["baseline"] or report["changes"]["previous"]
    reasons = drift_reasons(changes, kinds) if changes else []
    verdict = report["verdict"]
    if not reasons or verdict["exit_code"] != GOOD:
        return report
    told = {**verdict, "state": "drift", "exit_code": DRIFT, "reasons": [*verdict["reasons"], *reasons]}
    return {**report, "verdict": told}


def contents(report: Json, formats: Sequence[str] = ()) -> dict[str, Content]:
    """Return the files of a report by name; metrics are readable for the collector, the rest is private."""
    validate(report)
    return {
        "index.html": Content(html.render(report)),
        "posture.json": Content(readable(report, depth=4) + "\n"),
        "posture.xml": Content(junit.render(report)),
        "posture.prom": Content(prometheus.render(report), mode=0o644),
        **export.contents(report, formats),
    }


def publish(
    report: Json,
    directory: Path,
    history: History,
    drift: Sequence[str] = (),
    sign: chain.Sign | None = None,
    formats: Sequence[str] = (),
) -> Published:
    """Write the report, in further `formats` as well, and record it.

    The files do not depend on the history: why it could not be used is a ``fault``. Raises ReportInvalid or
    ReportUnwritable when there is no report.
    """
    fault, head = "", None
    try:
        report = with_drift(compare(report, history), drift)
    except HistoryError as error:
        fault = str(error)
    written = write_together(directory, contents(report, formats))
    if not fault:
        try:
            head = history.record(report, sign=sign)
        except (HistoryError, SigningError) as error:
            fault = str(error)
    return Published(report, written, head, fault)
