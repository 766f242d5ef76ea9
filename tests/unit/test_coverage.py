# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Every recommendation of the benchmark has a control or a reason, and every reference of a control exists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.controls import SCHEMA

from rampart.dev import coverage
from rampart.dev.catalogue import Role, load_roles
from rampart.dev.frameworks import Recommendation, frameworks, reasons, recommendations

ROLES = load_roles(Path(__file__).resolve().parents[2])
KNOWN = recommendations()
FRAMEWORKS = frameworks()


def role(*controls: dict[str, Any]) -> Role:
    return Role("some", Path("roles/some"), {}, controls)


def test_the_whole_benchmark_is_there() -> None:
    assert len(KNOWN) == len({each.id for each in KNOWN}) == 310
    assert {each.level for each in KNOWN} == {1, 2}
    assert sum(each.automated for each in KNOWN) == 289


def test_every_recommendation_has_a_control_or_a_reason() -> None:
    without = coverage.uncovered(KNOWN, coverage.controls_by_recommendation(ROLES), reasons())
    assert not without, "neither a control nor a reason in cis_debian12_not_applied.yml"


def test_every_reason_is_for_a_recommendation_that_exists() -> None:
    assert not set(reasons()) - {each.id for each in KNOWN}


def test_every_reference_of_a_control_exists() -> None:
    assert coverage.unknown_refs(ROLES, FRAMEWORKS) == []


def test_controls_may_refer_to_these_frameworks_and_no_others() -> None:
    allowed = json.loads(SCHEMA.read_text())["$defs"]["control"]["properties"]["refs"]["propertyNames"]["enum"]
    assert set(allowed) == set(FRAMEWORKS)


def test_every_control_refers_to_nist() -> None:
    without = [
        control["id"] for each in ROLES for control in each.controls if not control.get("refs", {}).get("nist80053r5")
    ]
    assert not without


def test_every_framework_says_where_its_ids_come_from() -> None:
    assert all(each.title and each.version and each.source and each.ids for each in FRAMEWORKS.values())


@pytest.mark.parametrize(
    ("framework", "has", "has_not"),
    [
        ("nist80053r5", ["AC-2", "AC-2(13)", "SC-45", "SI-7(15)"], ["AC-2(10)", "AC-13", "ZZ-1"]),
        ("atlas", ["AML.T0024", "AML.T0024.002", "AML.M0034"], ["AML.T0024.003", "AML.M0035"]),
        ("ai_rmf", ["MEASURE 2.13", "GOVERN 1.1"], ["MEASURE 2.14"]),
        ("owasp_ml", ["ML05:2023"], ["ML05"]),
        ("owasp_llm", ["LLM10:2025"], ["LLM11:2025"]),
        ("nvidia_sec", ["SEC13", "SEC13-02"], ["SEC28", "SEC13-03"]),
    ],
)
def test_lists_hold_what_the_frameworks_have(framework: str, has: list[str], has_not: list[str]) -> None:
    assert set(has) <= FRAMEWORKS[framework].ids
    assert not set(has_not) & FRAMEWORKS[framework].ids


def test_a_reference_that_does_not_exist_is_named() -> None:
    bad = role({"id": "RMP-TST-001", "refs": {"cis_debian12": ["9.9.9"], "iso": ["A.1"]}})
    first, second = coverage.unknown_refs([bad], FRAMEWORKS)
    assert "RMP-TST-001" in first and "9.9.9" in first
    assert "no framework iso" in second


def test_what_is_applied_is_told_with_its_modes() -> None:
    limited = {"id": "A", "applies": {"modes": ["training"]}}
    varied = {"id": "B", "variants": [{"when": {"modes": ["inference"]}, "expect": {}}]}
    assert coverage.applied([{"id": "C"}], None) == "yes"
    assert coverage.applied([limited], None) == "by mode: training"
    assert coverage.applied([varied], None) == "yes; differs in mode inference"
    assert coverage.applied([{"id": "C"}], "it cannot be") == "no: it cannot be"


def test_a_recommendation_with_neither_is_found() -> None:
    known = [Recommendation("1.1", 1, True), Recommendation("1.2", 2, False), Recommendation("1.3", 1, True)]
    controls = coverage.controls_by_recommendation([role({"id": "A", "refs": {"cis_debian12": ["1.1"]}})])
    assert coverage.uncovered(known, controls, {"1.3": "why"}) == ["1.2"]
