# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The report as events of OCSF for a SIEM: a Compliance Finding (2003) a result, and a Detection Finding (2004) for
each new failure at high or above, the class that pipelines raise alarms from."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ansible_collections.rampart.fleet.plugins.plugin_utils.report.text import say, severity_rank

Json = dict[str, Any]

VERSION = "1.4.0"
COMPLIANCE, DETECTION = 2003, 2004
_CREATE = 1
# https://schema.ocsf.io/1.4.0/classes/compliance_finding: severity_id, and status_id of the object compliance.
_SEVERITY = {"info": (1, "Informational"), "low": (2, "Low"), "medium": (3, "Medium"), "high": (4, "High"),
             "critical": (5, "Critical")}  # fmt: skip
_STATUS = {"pass": 1, "waived": 2, "fail": 3}
_UNKNOWN = 0
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://rampart.example/ns/ocsf")


def render(report: Json) -> str:
    """Return the events, a line each."""
    return "".join(json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n" for event in events(report))


def events(report: Json) -> Iterator[Json]:
    """Yield the events: all results that apply, then the new and grave failures."""
    fresh = _new_failures(report)
    for host in report["hosts"]:
        for result in host["results"]:
            if result["state"] == "not_applicable":
                continue
            yield _compliance(report, host, result)
            if (host["name"], result["id"]) in fresh and severity_rank(result["severity"]) <= severity_rank("high"):
                yield _detection(report, host, result)


def _new_failures(report: Json) -> set[tuple[str, str]]:
    """Return what fails now and did not in the run before; everything that fails when there was none."""
    previous = (report.get("changes") or {}).get("previous")
    if previous:
        return {(row["host"], row["control"]) for row in previous["new_failures"]}
    return {(host["name"], one["id"]) for host in report["hosts"] for one in host["results"] if one["state"] == "fail"}


def _milliseconds(stamp: str) -> int:
    return int(datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp() * 1000)


def _base(report: Json, host: Json, result: Json, kind: int) -> Json:
    control, run = report["controls"].get(result["id"], {}), report["run"]
    number, name = _SEVERITY[result["severity"]]
    moment = _milliseconds(run["finished"])
    title = control.get("title") or result["id"]
    reason = say(result.get("reason") or result["state"], 1000)
    return {
        "activity_id": _CREATE,
        "category_uid": 2,
        "class_uid": kind,
        "type_uid": kind * 100 + _CREATE,
        "severity_id": number,
        "severity": name,
        "time": moment,
        "message": f"{host['name']}: {result['id']} {title}: {result['state']}",
        "status_detail": reason,
        "metadata": {
            "version": VERSION,
            "uid": str(uuid.uuid5(_NAMESPACE, f"{run['id']}/{kind}/{host['name']}/{result['id']}")),
            "product": {"name": "Rampart", "vendor_name": "Rampart", "version": run["collection_version"] or "unknown"},
            "correlation_uid": run["id"],
        },
        "finding_info": {
            "uid": str(uuid.uuid5(_NAMESPACE, f"{run['title']}/{host['name']}/{result['id']}")),
            "title": f"{result['id']} {title}",
            "desc": control.get("rationale") or title,
            "created_time": moment,
            "types": ["Configuration"],
        },
        "resources": [{"uid": host["name"], "name": host["name"], "type": "host", "labels": [f"mode:{host['mode']}"]}],
        "remediation": {"desc": control.get("remedy") or "none recorded"},
        "unmapped": {
            "expected": say(result.get("expected") or "", 1000),
            "observed": say(result.get("observed") or "", 1000),
            "state": result["state"],
        },
    }


def _compliance(report: Json, host: Json, result: Json) -> Json:
    control = report["controls"].get(result["id"], {})
    references = control.get("refs") or {}
    return {
        **_base(report, host, result, COMPLIANCE),
        "compliance": {
            "control": result["id"],
            "desc": control.get("title") or result["id"],
            "standards": sorted(references),
            "requirements": [f"{name} {each}" for name in sorted(references) for each in references[name]],
            "status_id": _STATUS.get(result["state"], _UNKNOWN),
        },
    }


def _detection(report: Json, host: Json, result: Json) -> Json:
    return _base(report, host, result, DETECTION)
