# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The table of disagreements with other scanners is whole, and their results are read rightly."""

from __future__ import annotations

from pathlib import Path

import pytest

from rampart.dev.frameworks import recommendations
from rampart.dev.second_opinions import Disagreement, disagreements, document, explained, figures
from tests.e2e.second_opinion.scanners import parse, parse_report

RESULTS = b"""<?xml version="1.0"?>
<Benchmark xmlns="http://checklists.nist.gov/xccdf/1.2"><TestResult>
<rule-result idref="xccdf_org.ssgproject.content_rule_a"><result>pass</result></rule-result>
<rule-result idref="xccdf_org.ssgproject.content_rule_b"><result>fail</result></rule-result>
<rule-result idref="xccdf_org.ssgproject.content_rule_c"><result>notapplicable</result></rule-result>
<rule-result idref="xccdf_org.ssgproject.content_rule_d"><result>error</result></rule-result>
</TestResult></Benchmark>"""


def test_every_disagreement_is_explained_and_names_a_recommendation_that_exists() -> None:
    known = {each.id for each in recommendations()}
    text = document(disagreements(), figures())
    for each in disagreements():
        assert each.topic and each.ours and each.theirs and each.why
        assert {number for number in each.rules.values() if number} <= known
        assert all(f"`{rule}`" in text for rule in each.rules)


def test_a_rule_that_stands_twice_is_refused(tmp_path: Path) -> None:
    entry = "- {scanner: s, topic: t, rules: {r: ''}, ours: a, theirs: b, right: site, why: c}\n"
    table = tmp_path / "table.yml"
    table.write_text("disagreements:\n" + entry)
    assert explained("s", disagreements(table)) == {"r"} and not explained("other", disagreements(table))
    table.write_text("disagreements:\n" + entry * 2)
    with pytest.raises(ValueError, match="stands twice"):
        disagreements(table)
    table.write_text("disagreements:\n" + entry.replace("right: site", "right: nobody"))
    with pytest.raises(ValueError, match="nobody"):
        disagreements(table)
    table.write_text("disagreements:\n" + entry.replace("why: c", "why: c, where: nowhere"))
    with pytest.raises(ValueError, match="nowhere"):
        disagreements(table)


@pytest.mark.parametrize(
    ("right", "where", "untaken"),
    [
        ("both", "", ["nspawn", "qemu"]),
        ("rampart", "lab", ["nspawn", "qemu"]),
        ("rampart", "container", ["nspawn"]),
        ("site", "", []),
    ],
)
def test_what_a_host_cannot_have_does_not_count(right: str, where: str, untaken: list[str]) -> None:
    group = Disagreement("s", topic="t", rules={}, ours="a", theirs="b", right=right, why="c", where=where)
    assert [driver for driver in ("nspawn", "qemu") if group.untaken(driver)] == untaken


def test_results_of_openscap_are_counted() -> None:
    verdict = parse(RESULTS)
    assert verdict.failing == {"b", "d"}
    assert round(verdict.rate()) == 33
    assert verdict.rate(without={"b"}) == 50


def test_a_report_of_lynis_is_read() -> None:
    report = parse_report("# comment\nhardening_index=75\nwarning[]=A|x|\nwarning[]=B|y|\n")
    assert report == {"hardening_index": ["75"], "warning[]": ["A|x|", "B|y|"]}
