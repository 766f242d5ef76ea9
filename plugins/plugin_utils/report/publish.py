# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Everything a run leaves on the controller: the report's four files, and its row in the history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.rampart.fleet.plugins.plugin_utils.report import html, junit, prometheus
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.diff import diff, snapshot
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.files import Content, write_together
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.history import History, HistoryError
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.schema import validate

Json = dict[str, Any]

TREND_RUNS = 30


def compare(report: Json, history: History) -> Json:
    """Return ``report`` with what changed since the last run and the baseline, and the trend before it."""
    now, run_id = snapshot(report), report["run"]["id"]
    if not history.path.exists():
        return {**report, "changes": {"previous": None, "baseline": None}, "trend": []}
    before, base = history.previous(run_id), history.baseline()
    return {
        **report,
        "changes": {"previous": diff(before, now) if before else None, "baseline": diff(base, now) if base else None},
        "trend": [run for run in history.runs(TREND_RUNS) if run["id"] != run_id],
    }


def contents(report: Json) -> dict[str, Content]:
    """Return the files of a report by name; metrics are readable for the collector, the rest is private."""
    validate(report)
    return {
        "index.html": Content(html.render(report)),
        "posture.json": Content(json.dumps(report, indent=1, ensure_ascii=False, default=str) + "\n"),
        "posture.xml": Content(junit.render(report)),
        "posture.prom": Content(prometheus.render(report), mode=0o644),
    }


def publish(report: Json, directory: Path, history: History) -> tuple[Json, list[Path], str]:
    """Write the report, and record it.

    Returns the report with its changes, the paths written, and why the history could not be used (or an empty string):
    the files do not depend on it. Raises ReportInvalid or ReportUnwritable when there is no report.
    """
    fault = ""
    try:
        report = compare(report, history)
    except HistoryError as error:
        fault = str(error)
    written = write_together(directory, contents(report))
    if not fault:
        try:
            history.record(report)
        except HistoryError as error:
            fault = str(error)
    return report, written, fault
