# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What matters of a report, in few words: the headline, and a line for every failure that says the next step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.rampart.fleet.plugins.plugin_utils.report.text import UNDECIDED, plural, say, severity_rank

Json = dict[str, Any]

WORDS = {"pass": "Good", "fail": "Not good", "undecided": "Undecided", "drift": "Drifted"}


@dataclass(frozen=True)
class Failure:
    """A control that fails on a host, or that gave no answer. ``gating``: at or above the threshold of the run."""

    host: str
    id: str
    title: str
    severity: str
    state: str
    observed: str
    expected: str
    reason: str
    remedy: str
    gating: bool

    @property
    def line(self) -> str:
        """Say what is wrong, the value found, the value wanted and what to do; without the host."""
        if self.state == "fail":
            what = f"found {self.observed}, wanted {self.expected}"
        else:
            what = f"{self.state}, {self.reason or 'no reason given'}"
        return f"{self.id} ({self.severity}) {self.title}: {what}; next step: {self.remedy or 'none recorded'}"


def _failure(host: str, result: Json, control: Json, threshold: int) -> Failure:
    return Failure(
        host=host,
        id=result["id"],
        title=say(control.get("title") or ""),
        severity=result["severity"],
        state=result["state"],
        observed=say(result.get("observed")),
        expected=say(result.get("expected")),
        reason=say(result.get("reason") or ""),
        remedy=say(control.get("remedy") or "", 300),
        gating=severity_rank(result["severity"]) <= threshold,
    )


def failures(report: Json, states: Sequence[str] = ("fail",)) -> list[Failure]:
    """Return the results in ``states``, gravest first."""
    threshold = severity_rank(report["verdict"]["fail_on"])
    found = [
        _failure(host["name"], result, report["controls"].get(result["id"], {}), threshold)
        for host in report["hosts"]
        for result in host["results"]
        if result["state"] in states
    ]
    return sorted(found, key=lambda failure: (severity_rank(failure.severity), failure.id, failure.host))


def _undecided(report: Json) -> str:
    lost = [host["name"] for host in report["hosts"] if host["state"] != "measured"]
    open_ones = [failure for failure in failures(report, UNDECIDED) if failure.gating]
    parts = []
    if not report["hosts"]:
        parts.append("there is no host to judge")
    if lost:
        parts.append(f"{plural(len(lost), 'host')} not measured ({say(', '.join(lost), 80)})")
    if open_ones:
        parts.append(f"{plural(len(open_ones), 'result')} without an answer")
    return "; ".join(parts)


def headline(report: Json) -> str:
    """Return the verdict as one sentence with its figures."""
    verdict, hosts = report["verdict"], report["hosts"]
    gating = [failure for failure in failures(report) if failure.gating]
    parts = []
    if gating:
        controls, on = len({f.id for f in gating}), len({f.host for f in gating})
        verb = "fails" if controls == 1 else "fail"
        what = f"{plural(controls, 'control')} at {verdict['fail_on']} or above {verb}"
        parts.append(f"{what} on {on} of {plural(len(hosts), 'host')}")
    if verdict["state"] != "pass" and (rest := _undecided(report)):
        parts.append(rest)
    if parts:
        return "; ".join(parts) + "."
    if verdict["state"] != "pass":
        return "; ".join(say(reason) for reason in verdict.get("reasons", [])) or "The verdict could not be reached."
    below = len(failures(report))
    rest = f"; {plural(below, 'failure')} below the threshold" if below else ""
    return f"No control at {verdict['fail_on']} or above fails on {plural(len(hosts), 'host')}{rest}."


def problem_lines(report: Json, limit: int) -> list[str]:
    """Return a line for each host and each control that keeps the verdict from being good, at most ``limit``."""
    lines = [
        f"{host['name']}: {host['state']}: {say(host.get('reason') or 'no reason given', 300)}"
        for host in report["hosts"]
        if host["state"] != "measured"
    ]
    for state in (("fail",), UNDECIDED):
        lines += [f"{failure.host}: {failure.line}" for failure in failures(report, state) if failure.gating]
    if len(lines) <= limit:
        return lines
    return [*lines[:limit], f"and {len(lines) - limit} more; index.html and posture.json have all of them"]
