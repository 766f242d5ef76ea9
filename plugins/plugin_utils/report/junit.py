# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The report as JUnit XML for CI systems: a suite a host, a case a control."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from ansible_collections.rampart.fleet.plugins.plugin_utils.report.text import UNDECIDED, say, simulated

Json = dict[str, Any]

# All but the Char production of XML 1.0, section 2.2.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
SKIPPED = ("not_applicable", "manual", "waived")


def clean(text: str) -> str:
    """Return ``text`` without the characters that no XML document may hold."""
    return _ILLEGAL.sub("\ufffd", text)


def _element(parent: ElementTree.Element, tag: str, text: str = "", **attributes: str) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, tag, {key: clean(value) for key, value in attributes.items()})
    element.text = clean(text) or None
    return element


def _detail(result: Json, control: Json) -> str:
    lines = [
        f"expected: {say(result.get('expected'), 2000)}",
        f"observed: {say(result.get('observed'), 2000)}",
        f"next step: {control.get('remedy') or 'none recorded'}",
    ]
    return "\n".join(lines)


def _case(suite: ElementTree.Element, result: Json, control: Json) -> str:
    """Add a case and return the kind it counts as: failure, error, skipped or an empty string."""
    classname = f"{control.get('area', 'unknown')}.{control.get('role', 'unknown')}"
    title = f"{result['id']} {control.get('title', '')}".strip()
    case = _element(suite, "testcase", classname=classname, name=title)
    state, reason = result["state"], say(result.get("reason") or "", 500)
    if state == "fail":
        message = reason or f"found {say(result.get('observed'))}, wanted {say(result.get('expected'))}"
        _element(case, "failure", _detail(result, control), message=message, type=result["severity"])
        return "failures"
    if state in UNDECIDED:
        _element(case, "error", _detail(result, control), message=reason or state, type=state)
        return "errors"
    if state in SKIPPED:
        _element(case, "skipped", message=f"{state}: {reason}" if reason else state)
        return "skipped"
    return ""


def _suite(root: ElementTree.Element, host: Json, controls: Json, timestamp: str) -> dict[str, int]:
    totals = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    suite = _element(root, "testsuite", name=host["name"], hostname=host["name"], timestamp=timestamp)
    if simulated(host):
        _element(_element(suite, "properties"), "property", name="simulated", value=", ".join(simulated(host)))
    for result in host["results"]:
        totals["tests"] += 1
        kind = _case(suite, result, controls.get(result["id"], {}))
        if kind:
            totals[kind] += 1
    if host["state"] != "measured":
        totals["tests"] += 1
        totals["errors"] += 1
        case = _element(suite, "testcase", classname="rampart.posture", name="host was measured")
        _element(case, "error", message=say(host.get("reason") or host["state"], 500), type=host["state"])
    for key, value in totals.items():
        suite.set(key, str(value))
    return totals


def render(report: Json) -> str:
    """Return the report as a JUnit document."""
    root = ElementTree.Element("testsuites", {"name": clean(report["run"]["title"])})
    sums = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for host in report["hosts"]:
        for key, value in _suite(root, host, report["controls"], report["run"]["finished"]).items():
            sums[key] += value
    for key, value in sums.items():
        root.set(key, str(value))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"
