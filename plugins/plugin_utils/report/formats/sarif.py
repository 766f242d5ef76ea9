# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The report as SARIF 2.1.0 for code-scanning views: a rule a control, a result for each that does not pass.

Such views want a place in a file: it is the file of the control, and the host is the logical location.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ansible_collections.rampart.fleet.plugins.plugin_utils.report.text import say

Json = dict[str, Any]

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVEL = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "info": "note"}
# GitHub sorts by this figure, which it reads as a CVSS score.
_SECURITY_SEVERITY = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "3.0", "info": "0.0"}
_SHOWN = ("fail", "waived", "error", "unknown", "conflict")


def render(report: Json) -> str:
    """Return the log as JSON."""
    return json.dumps(log(report), ensure_ascii=False, indent=1) + "\n"


def log(report: Json) -> Json:
    """Return the log with one run."""
    run, names = report["run"], sorted(report["controls"])
    position = {name: index for index, name in enumerate(names)}
    results = [
        _result(report, host, result, position[result["id"]])
        for host in report["hosts"]
        for result in host["results"]
        if result["state"] in _SHOWN and result["id"] in position
    ]
    driver = {
        "name": "Rampart",
        "version": run["collection_version"] or "unknown",
        "rules": [_rule(name, report["controls"][name]) for name in names],
    }
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "automationDetails": {"id": f"posture/{run['id']}"},
                "invocations": [_invocation(report)],
                "results": results,
                "columnKind": "unicodeCodePoints",
            }
        ],
    }


def _invocation(report: Json) -> Json:
    lost = [host for host in report["hosts"] if host["state"] != "measured"]
    told: Json = {"executionSuccessful": not lost, "endTimeUtc": report["run"]["finished"]}
    if lost:
        told["toolExecutionNotifications"] = [
            {
                "level": "error",
                "message": {"text": f"{host['name']} was not measured: {say(host['reason'] or '', 500)}"},
            }
            for host in lost
        ]
    return told


def _rule(name: str, control: Json) -> Json:
    references = control.get("refs") or {}
    tags = ["security", *(f"{framework}/{each}" for framework in sorted(references) for each in references[framework])]
    return {
        "id": name,
        "name": name.replace("-", ""),
        "shortDescription": {"text": control["title"]},
        "fullDescription": {"text": control.get("rationale") or control["title"]},
        "help": {"text": f"Remedy: {control.get('remedy') or 'none recorded'}"},
        "defaultConfiguration": {"level": _LEVEL[control["severity"]]},
        "properties": {"tags": tags, "security-severity": _SECURITY_SEVERITY[control["severity"]]},
    }


def _result(report: Json, host: Json, result: Json, index: int) -> Json:
    control = report["controls"][result["id"]]
    reason = say(result.get("reason") or result["state"], 1000)
    told: Json = {
        "ruleId": result["id"],
        "ruleIndex": index,
        "kind": "fail" if result["state"] in ("fail", "waived") else "open",
        "level": _LEVEL[result["severity"]] if result["state"] in ("fail", "waived") else "none",
        "message": {"text": f"{host['name']}: {control['title']}: {reason}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": f"roles/{control['role']}/controls"},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [{"name": host["name"], "kind": "resource"}],
            }
        ],
        "partialFingerprints": {
            "hostAndControl/v1": hashlib.sha256(f"{host['name']}\n{result['id']}".encode()).hexdigest()
        },
    }
    if result["state"] == "waived":
        told["suppressions"] = [{"kind": "external", "justification": say(result.get("reason") or "waived", 500)}]
    return told
