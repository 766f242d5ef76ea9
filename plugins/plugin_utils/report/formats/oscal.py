# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The report as OSCAL 1.2.1: catalogue, component definition, assessment plan, assessment results, and POA&M.

Identifiers are UUIDs of version 5 over what they name, so that equal things keep theirs from run to run. Every property
has our own namespace: without one it would be held against the values that NIST allows for its name.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.rampart.fleet.plugins.plugin_utils.report.text import say

Json = dict[str, Any]

VERSION = "1.2.1"
NAMESPACE = "https://rampart.example/ns/oscal"
CATALOG, COMPONENTS, PLAN, RESULTS, POAM = (
    "oscal-catalog.json",
    "oscal-component-definition.json",
    "oscal-assessment-plan.json",
    "oscal-assessment-results.json",
    "oscal-poam.json",
)
#: Where the catalogue's own references stand in OSCAL: a link would need a document of each framework.
_REFERENCES = "maps-to"
_LIMIT = 1000
_ROOT = uuid.uuid5(uuid.NAMESPACE_URL, NAMESPACE)
_DECIDED = ("pass", "fail", "waived")


def documents(report: Json) -> dict[str, Json]:
    """Return the documents by file name; the POA&M is left out when there is nothing to plan, as OSCAL wants items."""
    found = {
        CATALOG: {"catalog": _catalog(report)},
        COMPONENTS: {"component-definition": _components(report)},
        PLAN: {"assessment-plan": _plan(report)},
        RESULTS: {"assessment-results": _results(report)},
    }
    if _open(report):
        found[POAM] = {"plan-of-action-and-milestones": _poam(report)}
    return found


def _uuid(*names: str) -> str:
    return str(uuid.uuid5(_ROOT, "\n".join(names)))


def _control_id(name: str) -> str:
    return name.lower()


def _metadata(report: Json, title: str) -> Json:
    run = report["run"]
    return {
        "title": f"{run['title']}: {title}",
        "last-modified": run["finished"],
        "version": run["collection_version"] or "unknown",
        "oscal-version": VERSION,
    }


def _props(**values: Any) -> list[Json]:
    """Return properties for the values that there are; OSCAL allows no empty ones."""
    return [
        {"name": name.replace("_", "-"), "ns": NAMESPACE, "value": text}
        for name, value in values.items()
        if (text := say(value, _LIMIT) if value is not None else "")
    ]


def _catalog(report: Json) -> Json:
    areas: dict[str, list[Json]] = {}
    for name, control in report["controls"].items():
        areas.setdefault(control["area"], []).append(_control(name, control))
    groups = [{"id": f"area-{area.lower()}", "title": area, "controls": areas[area]} for area in sorted(areas)]
    sha256 = report["run"]["catalogue_sha256"]
    return {
        "uuid": _uuid("catalog", sha256),
        "metadata": _metadata(report, "controls") | {"props": _props(catalogue_sha256=sha256)},
        **({"groups": groups} if groups else {}),
    }


def _control(name: str, control: Json) -> Json:
    identity = _control_id(name)
    maps = [
        {"name": _REFERENCES, "ns": NAMESPACE, "class": framework, "value": reference}
        for framework, references in (control.get("refs") or {}).items()
        for reference in references
    ]
    return {
        "id": identity,
        "title": control["title"],
        "props": [*_props(severity=control["severity"], role=control["role"]), *maps],
        "parts": [
            {"id": f"{identity}_smt", "name": "statement", "prose": control["title"]},
            {"id": f"{identity}_gdn", "name": "guidance", "prose": control.get("rationale") or control["title"]},
            {"id": f"{identity}_obj", "name": "assessment-objective", "prose": control["title"]},
        ],
    }


def _components(report: Json) -> Json:
    roles: dict[str, list[str]] = {}
    for name, control in report["controls"].items():
        roles.setdefault(control["role"], []).append(name)
    components = [_component(report, role, roles[role]) for role in sorted(roles)]
    return {
        "uuid": _uuid("component-definition", report["run"]["catalogue_sha256"]),
        "metadata": _metadata(report, "roles that bring the controls about"),
        **({"components": components} if components else {}),
    }


def _component(report: Json, role: str, names: Sequence[str]) -> Json:
    requirements = [
        {
            "uuid": _uuid("requirement", role, name),
            "control-id": _control_id(name),
            "description": report["controls"][name].get("remedy") or f"role {role}",
        }
        for name in names
    ]
    return {
        "uuid": _uuid("component", role),
        "type": "software",
        "title": f"rampart.fleet.{role}",
        "description": f"The role {role} of the Ansible collection rampart.fleet.",
        "control-implementations": [
            {
                "uuid": _uuid("implementation", role),
                "source": f"./{CATALOG}",
                "description": f"What the role {role} configures; each requirement is measured on the running host.",
                "implemented-requirements": requirements,
            }
        ],
    }


def _plan(report: Json) -> Json:
    resource = _uuid("ssp", report["run"]["title"])
    return {
        "uuid": _uuid("plan", report["run"]["id"]),
        "metadata": _metadata(report, "plan of the measurement"),
        "import-ssp": {"href": f"#{resource}"},
        "reviewed-controls": _reviewed(report),
        "assessment-subjects": [{"type": "inventory-item", "include-all": {}}],
        "back-matter": {
            "resources": [
                {
                    "uuid": resource,
                    "title": "System security plan",
                    "description": "The plan of the site's own system: Rampart measures it, and does not write it.",
                }
            ]
        },
    }


def _reviewed(report: Json) -> Json:
    chosen = [{"control-id": _control_id(name)} for name in report["controls"]]
    return {"control-selections": [{"include-controls": chosen} if chosen else {"include-all": {}}]}


def _results(report: Json) -> Json:
    run = report["run"]
    observations = [seen for host in report["hosts"] for seen in _observations(report, host, host["results"])]
    risks = [_risk(report, name, failing) for name, failing in _open(report).items()]
    items = [_item(run, host) for host in report["hosts"]]
    result = {
        "uuid": _uuid("result", run["id"]),
        "title": f"Run {run['id']}",
        "description": f"Measured on {len(report['hosts'])} hosts, judged on {run['controller'] or 'the controller'}.",
        "start": run["started"] or run["finished"],
        "end": run["finished"],
        "props": _props(verdict=report["verdict"]["state"], score=report["verdict"]["score"], run=run["id"]),
        "reviewed-controls": _reviewed(report),
        **({"local-definitions": {"inventory-items": items}} if items else {}),
        **({"observations": observations} if observations else {}),
        **({"risks": risks} if risks else {}),
        **_some("findings", _findings(report)),
    }
    return {
        "uuid": _uuid("results", run["id"]),
        "metadata": _metadata(report, "results of the measurement"),
        "import-ap": {"href": f"./{PLAN}"},
        "results": [result],
    }


def _some(name: str, values: Iterable[Json]) -> Json:
    found = list(values)
    return {name: found} if found else {}


def _item(run: Json, host: Json) -> Json:
    system = (host["context"] or {}).get("os") or {}
    return {
        "uuid": _uuid("host", run["title"], host["name"]),
        "description": f"The host {host['name']}.",
        "props": _props(
            host=host["name"], mode=host["mode"], state=host["state"], reason=host["reason"] or None,
            os=" ".join(str(part) for part in system.values()) or None,
        ),
    }  # fmt: skip


def _observations(report: Json, host: Json, results: Iterable[Json]) -> Iterable[Json]:
    run = report["run"]
    subject = {"subject-uuid": _uuid("host", run["title"], host["name"]), "type": "inventory-item"}
    for result in results:
        found = say(result.get("observed") or "nothing was observed", _LIMIT)
        reason = say(result.get("reason") or f"{result['state']}: {found}", _LIMIT)
        yield {
            "uuid": _observation_id(run, host["name"], result["id"]),
            "title": f"{result['id']} on {host['name']}",
            "description": reason,
            "props": _props(
                state=result["state"], severity=result["severity"], drift=result.get("drift"),
                because=result.get("because"), default_safe="yes" if result.get("default_safe") else None,
            ),
            "methods": ["TEST-AUTOMATED"],
            "subjects": [subject],
            "collected": run["started"] or run["finished"],
            "relevant-evidence": [
                {
                    "href": "./posture.json",
                    "description": f"expected {say(result.get('expected') or 'what a person judges', _LIMIT)}; "
                    f"found {found}",
                }
            ],
        }  # fmt: skip


def _observation_id(run: Json, host: str, control: str) -> str:
    return _uuid("observation", run["id"], host, control)


def _findings(report: Json) -> Iterable[Json]:
    """Yield a finding a control that was decided anywhere: satisfied when no host fails it, waived or not."""
    states = _states(report)
    for name, control in report["controls"].items():
        judged = [(host, state) for host, state in states.get(name, ()) if state in _DECIDED]
        if not judged:
            continue
        failing = [host for host, state in judged if state != "pass"]
        finding = {
            "uuid": _uuid("finding", report["run"]["id"], name),
            "title": f"{name} {control['title']}",
            "description": f"fails on {', '.join(failing)}" if failing else f"passes on {len(judged)} hosts",
            "target": {
                "type": "objective-id",
                "target-id": f"{_control_id(name)}_obj",
                "status": {"state": "not-satisfied" if failing else "satisfied"},
            },
            "related-observations": [
                {"observation-uuid": _observation_id(report["run"], host, name)} for host, _state in judged
            ],
        }
        if failing:
            finding["related-risks"] = [{"risk-uuid": _risk_id(report, name)}]
        yield finding


def _states(report: Json) -> dict[str, list[tuple[str, str]]]:
    """Return the hosts of each control, and the state that it has there."""
    found: dict[str, list[tuple[str, str]]] = {}
    for host in report["hosts"]:
        for result in host["results"]:
            found.setdefault(result["id"], []).append((host["name"], result["state"]))
    return found


def _open(report: Json) -> dict[str, list[tuple[str, str]]]:
    """Return the hosts on which each control fails, waived or not."""
    failing = {
        name: [(host, state) for host, state in found if state in ("fail", "waived")]
        for name, found in _states(report).items()
    }
    return {name: found for name, found in failing.items() if found}


def _risk_id(report: Json, name: str) -> str:
    return _uuid("risk", report["run"]["title"], name)


def _waivers(report: Json, name: str) -> list[Json]:
    return [waiver for waiver in report["waivers"] if waiver["control"] == name and waiver.get("matched")]


def _risk(report: Json, name: str, failing: Sequence[tuple[str, str]]) -> Json:
    control, waivers = report["controls"].get(name, {}), _waivers(report, name)
    waived = all(state == "waived" for _host, state in failing)
    risk: Json = {
        "uuid": _risk_id(report, name),
        "title": f"{name} {control.get('title', '')}".strip(),
        "description": f"The control fails on {_names(failing)}.",
        "statement": control.get("rationale") or control.get("title") or name,
        "props": _props(severity=control.get("severity")),
        "status": "deviation-approved" if waived else "open",
    }
    if waived and waivers:
        risk["deadline"] = f"{min(waiver['expires'] for waiver in waivers)}T23:59:59Z"
    remedies = [
        {
            "uuid": _uuid("remedy", name),
            "lifecycle": "recommendation",
            "title": "Remedy",
            "description": control.get("remedy") or "none recorded",
        }
    ]
    remedies += [_exception(waiver) for waiver in waivers]
    return {**risk, "remediations": remedies}


def _exception(waiver: Json) -> Json:
    return {
        "uuid": _uuid("waiver", str(waiver.get("id"))),
        "lifecycle": "planned",
        "title": f"Waived until {waiver['expires']} by {waiver['owner']}",
        "description": say(waiver["reason"], _LIMIT),
        "props": _props(
            ticket=waiver.get("ticket"), owner=waiver["owner"], expires=waiver["expires"],
            compensating_control=waiver.get("compensating_control"),
        ),
    }  # fmt: skip


def _names(failing: Sequence[tuple[str, str]]) -> str:
    return ", ".join(host for host, _state in failing)


def _poam(report: Json) -> Json:
    run, open_ones = report["run"], _open(report)
    observations = [
        seen
        for host in report["hosts"]
        for seen in _observations(report, host, [one for one in host["results"] if one["state"] in ("fail", "waived")])
    ]
    return {
        "uuid": _uuid("poam", run["id"]),
        "metadata": _metadata(report, "what is open, and what is waived until when"),
        "system-id": {"identifier-type": "http://ietf.org/rfc/rfc4122", "id": _uuid("system", run["title"])},
        "local-definitions": {"inventory-items": [_item(run, host) for host in report["hosts"]]},
        "observations": observations,
        "risks": [_risk(report, name, failing) for name, failing in open_ones.items()],
        "poam-items": [
            {
                "uuid": _uuid("poam-item", run["title"], name),
                "title": f"{name} {report['controls'].get(name, {}).get('title', '')}".strip(),
                "description": f"Fails on {_names(failing)}.",
                "related-risks": [{"risk-uuid": _risk_id(report, name)}],
                "related-observations": [
                    {"observation-uuid": _observation_id(run, host, name)} for host, _state in failing
                ],
            }
            for name, failing in open_ones.items()
        ],
    }
