# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""JUnit, Prometheus, terminal and page say what the report says, whatever strings a host sent."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.rampart.fleet.plugins.plugin_utils.report import (
    diff,
    html,
    junit,
    prometheus,
    schema,
    summary,
    terminal,
)
from prometheus_client.parser import text_string_to_metric_families

Json = dict[str, Any]

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!--<script>",
    "]]></failure><failure>",
    "{{ 7 * 7 }}{% raw %}",
    "a\x00b\x08c\x1b[31m\ufffe",
    'quote " back \\ newline \n end',
    "\u2028\u2029\u202eevil",
    "lone \ud800 surrogate",
]


def poison(report: Json, text: str) -> Json:
    """Put ``text`` wherever a host or a site can."""
    control = next(iter(report["controls"].values()))
    control.update(title=text, rationale=text, remedy=text, refs={text: [text]}, area=text, role=text)
    host = report["hosts"][0]
    host.update(
        name=text,
        mode=text,
        reason=text,
        context={"os": {"id": text}, "kernel": text, "workload": {text: [text]}, "simulated": [text]},
    )
    host["results"][0].update(state="fail", reason=text, expected=text, observed={text: text}, obs=[text])
    host["results"][1].update(state="error", reason=text)
    host["observations"][text] = {"status": "ok", "value": {text: text}, "reason": text, "source": text, "ms": 1}
    report["waivers"][0].update(id=text, control=text, owner=text, reason=text, ticket=text, hosts=[text])
    report["run"].update(title=text, playbook=text, controller=text)
    return report


class Elements(HTMLParser):
    """The elements of a page as a browser finds them, with their text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and self.lasttag == "script":
            self.scripts[-1] += data


def parse(page: str) -> Elements:
    elements = Elements()
    elements.feed(page)
    return elements


@pytest.mark.parametrize("text", HOSTILE)
def test_no_string_becomes_markup_on_the_page(report: Json, text: str) -> None:
    plain = [tag for tag, _ in parse(html.render(report)).tags]
    failing_before = len(summary.failures(report))
    poisoned = poison(report, text)
    page = html.render(poisoned)
    elements = parse(page)
    grown = len(summary.failures(poisoned)) - failing_before
    assert [tag for tag, _ in elements.tags if tag not in ("li", "b")] == [
        tag for tag in plain if tag not in ("li", "b")
    ]
    assert sum(tag == "li" for tag, _ in elements.tags) == plain.count("li") + grown
    assert len(elements.scripts) == 2
    assert "<" not in elements.scripts[0]
    assert not any(name.startswith("on") or name == "style" for _, attributes in elements.tags for name in attributes)


@pytest.mark.parametrize("text", [one for one in HOSTILE if "\ud800" not in one])
def test_the_page_carries_the_strings_unchanged(report: Json, text: str) -> None:
    data = json.loads(parse(html.render(poison(report, text))).scripts[0])
    assert data["report"]["hosts"][0]["name"] == text
    assert data["results"][data["report"]["hosts"][0]["results"][0]]["observed"] == {text: text}


def test_the_page_loads_nothing_and_lets_only_its_own_script_run(report: Json) -> None:
    page = html.render(report)
    for _, attributes in parse(page).tags:
        for name in ("src", "href", "action"):
            assert re.match(r"(#|data:|$)", attributes.get(name) or "")
    policy = next(a["content"] for tag, a in parse(page).tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", page.split('id="data"')[1])


def test_the_page_cuts_long_observations_and_the_report_does_not(report: Json) -> None:
    key = next(iter(report["hosts"][0]["observations"]))
    report["hosts"][0]["observations"][key]["value"] = ["x" * 90] * 1000
    seen = next(one for one in html.page_data(report)["observations"] if one["key"] == key and "cut" in one)
    assert len(seen["cut"]) == html.VALUE_LIMIT
    assert seen["size"] > 90_000
    assert len(report["hosts"][0]["observations"][key]["value"]) == 1000


def test_the_page_holds_what_hosts_share_once_and_all_of_it(report: Json) -> None:
    data = html.page_data(report)
    assert len(data["results"]) < sum(len(host["results"]) for host in report["hosts"]) / 2
    for host, shown in zip(report["hosts"], data["report"]["hosts"], strict=True):
        assert [data["results"][place] for place in shown["results"]] == host["results"]
        seen = [data["observations"][place] for place in shown["observations"]]
        assert {one["key"]: {**one, "ms": ms} for one, ms in zip(seen, shown["ms"], strict=True)} == {
            key: {**one, "key": key} for key, one in host["observations"].items()
        }


def test_junit_counts_agree_with_the_report(report: Json) -> None:
    report["hosts"][3].update(state="unreachable", reason="no route", results=[], counts={}, score=None, coverage=None)
    root = ElementTree.fromstring(junit.render(report))
    assert len(root) == 4
    for suite, host in zip(root, report["hosts"], strict=True):
        states = [result["state"] for result in host["results"]]
        lost = host["state"] != "measured"
        assert int(suite.get("tests", -1)) == len(suite) == len(states) + lost
        assert int(suite.get("failures", -1)) == len(suite.findall("*/failure")) == states.count("fail")
        undecided = sum(states.count(state) for state in ("error", "unknown", "conflict")) + lost
        assert int(suite.get("errors", -1)) == len(suite.findall("*/error")) == undecided
        skipped = sum(states.count(state) for state in ("waived", "manual", "not_applicable"))
        assert int(suite.get("skipped", -1)) == len(suite.findall("*/skipped")) == skipped
    assert "no route" in root[3][0][0].get("message", "")
    assert root[0][0].get("classname") == "kernel.os_hardening"


@pytest.mark.parametrize("text", HOSTILE)
def test_junit_is_well_formed_whatever_the_strings(report: Json, text: str) -> None:
    root = ElementTree.fromstring(junit.render(poison(report, text)).encode("utf-8", "strict"))
    assert len(root.findall("testsuite")) == 4
    assert root[0].findall("testcase")[0][0].tag == "failure"


def samples(report: Json) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(prometheus.render(report))
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_metrics_parse_back_to_the_report(report: Json) -> None:
    found = samples(report)
    passing = {key: value for key, value in found.items() if key[0] == "rampart_posture_control_passing"}
    counts = report["verdict"]["counts"]
    assert len(passing) == counts["pass"] + counts["fail"]
    assert sum(passing.values()) == counts["pass"]
    assert found["rampart_posture_fleet_score_percent", ()] == report["verdict"]["score"]
    assert found["rampart_posture_verdict", (("state", "fail"),)] == 1
    assert found["rampart_posture_verdict", (("state", "pass"),)] == 0
    assert found["rampart_posture_last_run_timestamp_seconds", ()] == 1772712031
    gpu1 = next(host for host in report["hosts"] if host["name"] == "gpu1")
    labels = (("host", "gpu1"), ("mode", "inference"), ("state", "fail"))
    assert found["rampart_posture_controls", labels] == gpu1["counts"]["fail"]


def test_an_unmeasured_host_has_no_score_in_the_metrics(report: Json) -> None:
    report["hosts"][0].update(state="unreachable", score=None, coverage=None, counts={}, results=[])
    found = samples(report)
    key = (("host", "gateway1"), ("mode", "inference"))
    assert found["rampart_posture_host_measured", key] == 0
    assert ("rampart_posture_score_percent", key) not in found


@pytest.mark.parametrize("text", [one for one in HOSTILE if "\ud800" not in one])
def test_metrics_parse_back_whatever_the_strings(report: Json, text: str) -> None:
    assert any(dict(labels).get("host") == text for _, labels in samples(poison(report, text)))


@pytest.mark.parametrize("width", [20, 60, 80, 200])
@pytest.mark.parametrize("unicode", [True, False])
def test_the_table_fits_and_names_every_host(report: Json, width: int, unicode: bool) -> None:
    report["hosts"][1]["name"] = "gpu-ü-with-a-rather-long-name.rack7.example.net"
    report["hosts"][2].update(state="unreachable", reason="no\nroute\x1b[2J", counts={}, results=[])
    screen = terminal.Screen(width, unicode)
    lines = [line.text for line in terminal.render(report, screen)]
    assert max(map(len, lines)) <= max(width, terminal.MIN_WIDTH)
    assert all(line.isprintable() for line in lines)
    assert unicode or all(line.isascii() for line in lines)
    for name in ("gateway1", "gpu-", "gpu2", "store1"):
        assert any(line.startswith(name) for line in lines)
    assert "UNDECIDED" in next(line for line in lines if line.startswith("HOST"))
    assert any("NOT GOOD" in line for line in lines)


def test_a_narrow_table_keeps_failures_and_score(report: Json) -> None:
    head = next(line.text for line in terminal.render(report, terminal.Screen(60)) if line.text.startswith("HOST"))
    assert "FAIL" in head
    assert "SCORE" in head
    assert "MANUAL" not in head


def test_an_empty_fleet_renders_everywhere(report: Json) -> None:
    report.update(hosts=[], controls={}, waivers=[])
    report["verdict"].update(state="undecided", exit_code=2, score=None, coverage=None, counts={})
    schema.validate(report)
    assert "Undecided" in html.render(report)
    assert ElementTree.fromstring(junit.render(report)).get("tests") == "0"
    assert samples(report)["rampart_posture_verdict", (("state", "undecided"),)] == 1
    assert any("UNDECIDED" in line.text for line in terminal.render(report, terminal.Screen()))


def test_the_diff_is_rendered_with_its_values(report: Json) -> None:
    before = diff.snapshot(report)
    changed = next(one for one in report["hosts"][0]["results"] if one["state"] == "pass")
    changed.update(state="fail", observed="weak")
    lines = [line.text for line in terminal.render_diff(diff.diff(before, diff.snapshot(report)), terminal.Screen(140))]
    assert "New failures (1)" in lines
    assert any(changed["id"] in line and "pass → fail" in line and "weak" in line for line in lines)
    same = terminal.render_diff(diff.diff(before, before), terminal.Screen())
    assert same[-1].text == "Nothing is different."


def test_a_host_whose_hardware_is_a_replay_is_labelled_in_every_output(report: Json) -> None:
    report["hosts"][0]["context"]["simulated"] = ["gpu"]
    name = report["hosts"][0]["name"]
    assert f"{name}: simulated hardware: gpu" in [line.text for line in terminal.render(report, terminal.Screen(100))]
    suite = ElementTree.fromstring(junit.render(report)).findall("testsuite/properties/property")
    assert [(each.get("name"), each.get("value")) for each in suite] == [("simulated", "gpu")]
    key = {"host": name, "mode": report["hosts"][0]["mode"], "hardware": "gpu"}
    assert samples(report)["rampart_posture_host_simulated", tuple(sorted(key.items()))] == 1
    data = json.loads(parse(html.render(report)).scripts[0])
    assert data["report"]["hosts"][0]["context"]["simulated"] == ["gpu"]
