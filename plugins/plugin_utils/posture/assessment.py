# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""One host's assessment: what to measure for its controls, the judgement, and the file that keeps both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ansible_collections.rampart.fleet.plugins.module_utils.posture import verdict
from ansible_collections.rampart.fleet.plugins.module_utils.posture.evaluate import evaluate
from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import Request
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import (
    Observation,
    Result,
    Waiver,
    is_external,
    params_of,
    probe_key,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.parameters import Settings
from ansible_collections.rampart.fleet.plugins.plugin_utils.json_text import readable
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.catalogue import Entry
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.context import context_of, context_requests
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.default_safe import default_safe
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.files import write_private
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.waivers import uses

SCHEMA_VERSION = 1
_DEFAULT_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Subject:
    """A host in a run; `started` in UTC."""

    name: str
    mode: str
    roles: tuple[str, ...]
    run_id: str
    started: datetime
    collection_version: str
    catalogue_sha256: str


@dataclass(frozen=True)
class Assessment:
    """What was found on a host. `reason` says why there are no results when it could not be measured."""

    results: tuple[Result, ...]
    observations: Mapping[str, Observation]
    context: Mapping[str, Any]
    reason: str = ""


def requests_for(entries: Sequence[Entry]) -> list[Request]:
    """Return each thing to measure on the host once, with the longest time that any of its controls allows."""
    return _requests(entries, external=False, known=context_requests())


def vantage_requests(entries: Sequence[Entry]) -> list[Request]:
    """Return each thing that another host is to measure, likewise; their keys have the prefix `vantage:`."""
    return _requests(entries, external=True)


def _requests(entries: Sequence[Entry], external: bool, known: Sequence[Request] = ()) -> list[Request]:
    wanted = {request.key: request for request in known}
    for entry in entries:
        limit = float(entry.control.get("cost", {}).get("timeout_s", _DEFAULT_TIMEOUT_S))
        for probe in entry.control.get("probes", ()):
            if is_external(probe) is not external:
                continue
            key = probe_key(probe)
            request = wanted.setdefault(key, Request(key, probe["kind"], params_of(probe), limit))
            wanted[key] = replace(request, timeout_s=max(request.timeout_s, limit))
    return list(wanted.values())


def judge(
    subject: Subject,
    entries: Sequence[Entry],
    observations: Mapping[str, Observation],
    waivers: Sequence[Waiver],
    settings: Settings | None = None,
) -> Assessment:
    """Return the results of the controls on what was observed, as of the day the measurement started."""
    context = context_of(subject.name, subject.mode, observations)
    day, safe = subject.started.date(), default_safe(context)
    results = tuple(
        replace(
            evaluate(entry.control, observations, context, waivers, day, settings),
            default_safe=entry.control["id"] in safe,
        )
        for entry in entries
    )
    return Assessment(results, observations, context)


def failed(reason: str) -> Assessment:
    """Return the assessment of a host that could not be measured."""
    return Assessment((), {}, {}, reason)


def document(
    subject: Subject, entries: Sequence[Entry], assessment: Assessment, waivers: Sequence[Waiver]
) -> dict[str, Any]:
    """Return the content of a host file, as docs/architecture.md has it.

    `definitions` are the controls as they were judged, so that the results can be computed again from this file alone.
    """
    results = [result.to_json() for result in assessment.results]
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": subject.run_id,
        "started": _stamp(subject.started),
        "finished": _stamp(datetime.now(UTC)),
        "collection_version": subject.collection_version,
        "catalogue_sha256": subject.catalogue_sha256,
        "host": {
            "name": subject.name,
            "mode": subject.mode,
            "state": "failed" if assessment.reason else "measured",
            "reason": assessment.reason,
            "roles": list(subject.roles),
            "context": dict(assessment.context),
            "score": verdict.score(results),
            "coverage": verdict.coverage(results),
            "counts": verdict.counts(results),
            "results": results,
            "observations": {key: found.to_json() for key, found in assessment.observations.items()},
        },
        "controls": {entry.control["id"]: _about(entry) for entry in entries},
        "definitions": {entry.control["id"]: dict(entry.control) for entry in entries},
        "waivers": [use.to_json() for use in uses(waivers, assessment.results, subject.name, subject.started.date())],
    }


def _about(entry: Entry) -> dict[str, Any]:
    control = entry.control
    told = {key: control[key] for key in ("title", "severity", "rationale", "remedy")}
    return {**told, "area": entry.area, "role": entry.role, "refs": control.get("refs", {})}


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_host_file(report_dir: Path, content: Mapping[str, Any]) -> Path:
    """Write <report_dir>/hosts/<host>.json (0600, in a folder that only its owner enters) and return its path."""
    folder = report_dir / "hosts"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{quote(content['host']['name'], safe='')}.json"
    write_private(path, readable(content, depth=3) + "\n")
    return path
