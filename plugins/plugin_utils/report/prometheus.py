# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The report as gauges for node_exporter's textfile collector, so that a failing or stale fleet raises an alert."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ansible_collections.rampart.fleet.plugins.plugin_utils.report.text import STATES, UNDECIDED, simulated

Json = dict[str, Any]

RESULT_LABELS = ("host", "control", "severity", "mode")
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})


def _seconds(moment: str) -> float:
    parsed = datetime.fromisoformat(moment)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


@dataclass
class _Gauge:
    """One metric: a number for each combination of its labels' values."""

    name: str
    help_text: str
    labels: tuple[str, ...]
    numbers: dict[tuple[str, ...], float] = field(default_factory=dict)

    def set(self, number: float, *values: str) -> None:
        self.numbers[values] = float(number)

    def lines(self) -> list[str]:
        told = [f"# HELP {self.name} {self.help_text}", f"# TYPE {self.name} gauge"]
        for values, number in self.numbers.items():
            pairs = ",".join(
                f'{label}="{value.translate(_ESCAPES)}"' for label, value in zip(self.labels, values, strict=True)
            )
            told.append(f"{self.name}{{{pairs}}} {number}" if pairs else f"{self.name} {number}")
        return told


class _Gauges:
    """All metrics of one report."""

    def __init__(self) -> None:
        self.all: list[_Gauge] = []

    def add(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> _Gauge:
        self.all.append(_Gauge(f"rampart_posture_{name}", help_text, labels))
        return self.all[-1]


def _fleet(gauges: _Gauges, report: Json) -> None:
    verdict = report["verdict"]
    state = gauges.add("verdict", "1 for the verdict of the last run, 0 for the other verdicts", ("state",))
    for word in ("pass", "fail", "undecided", "drift"):
        state.set(verdict["state"] == word, word)
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
        waivers.set(_seconds(waiver["expires"]), waiver["id"], waiver["control"], waiver["owner"])


def _hosts(gauges: _Gauges, hosts: list[Json]) -> None:
    labels = ("host", "mode")
    measured = gauges.add("host_measured", "1 when the last run could measure the host", labels)
    score = gauges.add("score_percent", "Severity-weighted share of passed controls of a host", labels)
    coverage = gauges.add("coverage_percent", "Share of applicable controls that were decided on a host", labels)
    states = gauges.add("controls", "Number of controls in a state", (*labels, "state"))
    replayed = gauges.add("host_simulated", "1 for hardware of a host that is a replay", (*labels, "hardware"))
    for host in hosts:
        key = (host["name"], host["mode"] or "")
        measured.set(host["state"] == "measured", *key)
        for gauge, share in ((score, "score"), (coverage, "coverage")):
            if host[share] is not None:
                gauge.set(host[share], *key)
        for kind in simulated(host):
            replayed.set(1, *key, kind)
        for word in STATES:
            states.set(host["counts"].get(word, 0), *key, word)


def _results(gauges: _Gauges, hosts: list[Json]) -> None:
    passing = gauges.add("control_passing", "1 pass, 0 fail; only controls that were decided", RESULT_LABELS)
    undecided = gauges.add("control_undecided", "1 for a control that gave no answer", (*RESULT_LABELS, "state"))
    for host in hosts:
        for result in host["results"]:
            key = (host["name"], result["id"], result["severity"], host["mode"] or "")
            if result["state"] in ("pass", "fail"):
                passing.set(result["state"] == "pass", *key)
            elif result["state"] in UNDECIDED:
                undecided.set(1, *key, result["state"])


def render(report: Json) -> str:
    """Return the report in the Prometheus text format; gauges only, percentages and seconds."""
    gauges = _Gauges()
    _fleet(gauges, report)
    _hosts(gauges, report["hosts"])
    _results(gauges, report["hosts"])
    return "".join(f"{line}\n" for gauge in gauges.all for line in gauge.lines())
