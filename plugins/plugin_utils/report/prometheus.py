# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The report as gauges for node_exporter's textfile collector, so that a failing or stale fleet raises an alert."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ansible_collections.rampart.fleet.plugins.plugin_utils.report.text import STATES, UNDECIDED
from prometheus_client import CollectorRegistry, Gauge, generate_latest

Json = dict[str, Any]

RESULT_LABELS = ("host", "control", "severity", "mode")


def _seconds(moment: str) -> float:
    parsed = datetime.fromisoformat(moment)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


class _Gauges:
    """All metrics of one report in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def add(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(f"rampart_posture_{name}", help_text, labels, registry=self.registry)


def _fleet(gauges: _Gauges, report: Json) -> None:
    verdict = report["verdict"]
    state = gauges.add("verdict", "1 for the verdict of the last run, 0 for the other verdicts", ("state",))
    for word in ("pass", "fail", "undecided", "drift"):
        state.labels(word).set(verdict["state"] == word)
    gauges.add("last_run_timestamp_seconds", "End of the last run, in seconds since the epoch").set(
        _seconds(report["run"]["finished"])
    )
    for key, what in (
        ("score", "severity-weighted share of passed controls"),
        ("coverage", "share of applicable controls that were decided"),
    ):
        if verdict[key] is not None:
            gauges.add(f"fleet_{key}_percent", f"Fleet: {what}").set(verdict[key])
    waivers = gauges.add("waiver_expiry_timestamp_seconds", "When a waiver ends", ("waiver", "control", "owner"))
    for waiver in report["waivers"]:
        waivers.labels(waiver["id"], waiver["control"], waiver["owner"]).set(_seconds(waiver["expires"]))


def _hosts(gauges: _Gauges, hosts: list[Json]) -> None:
    labels = ("host", "mode")
    measured = gauges.add("host_measured", "1 when the last run could measure the host", labels)
    score = gauges.add("score_percent", "Severity-weighted share of passed controls of a host", labels)
    coverage = gauges.add("coverage_percent", "Share of applicable controls that were decided on a host", labels)
    states = gauges.add("controls", "Number of controls in a state", (*labels, "state"))
    for host in hosts:
        key = (host["name"], host["mode"] or "")
        measured.labels(*key).set(host["state"] == "measured")
        for gauge, field in ((score, "score"), (coverage, "coverage")):
            if host[field] is not None:
                gauge.labels(*key).set(host[field])
        for word in STATES:
            states.labels(*key, word).set(host["counts"].get(word, 0))


def _results(gauges: _Gauges, hosts: list[Json]) -> None:
    passing = gauges.add("control_passing", "1 pass, 0 fail; only controls that were decided", RESULT_LABELS)
    undecided = gauges.add("control_undecided", "1 for a control that gave no answer", (*RESULT_LABELS, "state"))
    for host in hosts:
        for result in host["results"]:
            key = (host["name"], result["id"], result["severity"], host["mode"] or "")
            if result["state"] in ("pass", "fail"):
                passing.labels(*key).set(result["state"] == "pass")
            elif result["state"] in UNDECIDED:
                undecided.labels(*key, result["state"]).set(1)


def render(report: Json) -> str:
    """Return the report in the Prometheus text format; gauges only, percentages and seconds."""
    gauges = _Gauges()
    _fleet(gauges, report)
    _hosts(gauges, report["hosts"])
    _results(gauges, report["hosts"])
    return generate_latest(gauges.registry).decode()
