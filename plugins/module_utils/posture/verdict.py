# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Score, coverage and verdict: the only place that turns results into figures and an exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import SEVERITIES

Json = Mapping[str, Any]

_UNDECIDED = ("error", "unknown", "conflict")

#: What `rampart` ends with: good, findings, could not decide, usage, drift.
GOOD, FINDINGS, UNDECIDED, USAGE, DRIFT = 0, 1, 2, 3, 4
#: Below this share of decided controls a host's score says too little to be good.
MIN_COVERAGE = 90.0


def weight(severity: str) -> int:
    """Return what a control of this severity counts in a score."""
    return {"critical": 10, "high": 5, "medium": 3, "low": 1, "info": 0}[severity]


def counts(results: Iterable[Json]) -> dict[str, int]:
    """Return how many results are in each state that occurs."""
    return dict(sorted(Counter(str(result["state"]) for result in results).items()))


def score(results: Iterable[Json]) -> float | None:
    """Return the weighted share of passes among passes and failures, 0 to 100; None when there are none."""
    passed = total = 0
    for result in results:
        if result["state"] in ("pass", "fail"):
            total += weight(result["severity"])
            passed += weight(result["severity"]) if result["state"] == "pass" else 0
    return round(100.0 * passed / total, 1) if total else None


def coverage(results: Iterable[Json]) -> float | None:
    """Return the share of applicable controls that were decided (pass, fail, or fail and waived), 0 to 100."""
    number = counts(results)
    applicable = sum(number.values()) - number.get("not_applicable", 0)
    decided = number.get("pass", 0) + number.get("fail", 0) + number.get("waived", 0)
    return round(100.0 * decided / applicable, 1) if applicable else None


def at_or_above(severity: str, threshold: str) -> bool:
    """Say whether a severity is the threshold or graver."""
    return SEVERITIES.index(severity) <= SEVERITIES.index(threshold)


def verdict(
    hosts: Sequence[Json],
    fail_on: str,
    waivers: Sequence[Json] = (),
    min_coverage: float = MIN_COVERAGE,
) -> dict[str, Any]:
    """Return the decision about entries of a report's `hosts` and `waivers`.

    {state, exit_code, fail_on, score, coverage, counts, reasons}: exit_code 1 when a control at or above `fail_on`
    fails without waiver or a waiver has expired, else 2 when anything kept the fleet from being decided or the coverage
    of a host is below `min_coverage` percent, else 0. Drift is told by the history, which compares runs.
    """
    if fail_on not in SEVERITIES:
        raise ValueError("fail_on is '{}', wanted one of {}".format(fail_on, ", ".join(SEVERITIES)))
    results = [result for host in hosts for result in host["results"]]
    grave = [result for result in results if at_or_above(result["severity"], fail_on)]
    failures, doubts = _failures(grave, waivers, fail_on), _doubts(hosts, results, grave, fail_on)
    doubts += _uncovered(hosts, min_coverage)
    state, exit_code = ("fail", FINDINGS) if failures else ("undecided", UNDECIDED) if doubts else ("pass", GOOD)
    return {
        "state": state,
        "exit_code": exit_code,
        "fail_on": fail_on,
        "score": score(results),
        "coverage": coverage(results),
        "counts": counts(results),
        "reasons": [*failures, *doubts],
    }


def _failures(grave: Sequence[Json], waivers: Sequence[Json], fail_on: str) -> list[str]:
    failed = sum(result["state"] == "fail" for result in grave)
    failures = [f"{failed} of the results at {fail_on} or above fail"] if failed else []
    failures += [
        "the waiver of {} by {} expired on {}".format(waiver["control"], waiver["owner"], waiver["expires"])
        for waiver in waivers
        if waiver.get("expired")
    ]
    return failures


def _uncovered(hosts: Sequence[Json], min_coverage: float) -> list[str]:
    """Return the hosts of which too little was decided: a high score over half of the controls proves nothing."""
    return [
        "{} of the applicable controls of {} were decided, wanted {:g} % or more".format(
            f"{host['coverage']} %", host["name"], min_coverage
        )
        for host in hosts
        if host["state"] == "measured" and host.get("coverage") is not None and host["coverage"] < min_coverage
    ]


def _doubts(hosts: Sequence[Json], results: Sequence[Json], grave: Sequence[Json], fail_on: str) -> list[str]:
    """Return why the verdict could not be a pass even if nothing failed."""
    measured = [host for host in hosts if host["state"] == "measured"]
    doubts = [
        "{} was not measured ({}): {}".format(host["name"], host["state"], host.get("reason") or "no reason was left")
        for host in hosts
        if host["state"] != "measured"
    ]
    if not measured:
        doubts.append("no host was measured")
    elif not any(result["state"] in ("pass", "fail", "waived") for result in results):
        doubts.append("no control was decided on any host")
    for state in _UNDECIDED:
        number = sum(result["state"] == state for result in grave)
        if number:
            doubts.append(f"{number} of the results at {fail_on} or above could not be decided ({state})")
    return doubts
