# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What a control demands beyond its expectation: after a reboot, by a site's own numbers, and seen from outside."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.evaluate import evaluate
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import Observation, Result, probe_key
from ansible_collections.rampart.fleet.plugins.module_utils.posture.parameters import setting_problems

TODAY = date(2026, 3, 1)
CONTEXT = {"hostname": "gpu1", "mode": "training", "virt": "vm", "workload": {}}
PARAMETER = {"type": "int", "default": 14, "min": 12, "max": 64, "meaning": "characters"}


def demanding(**changes: Any) -> dict[str, Any]:
    return {
        "id": "RMP-TST-001",
        "title": "A thing is so",
        "severity": "high",
        "rationale": "Because.",
        "probes": [{"id": "now", "kind": "n"}, {"id": "boot", "kind": "b"}],
        "expect": {"all": [{"obs": "now", "op": "ge", "value": 14}]},
        "persist": {"all": [{"obs": "boot", "op": "ge", "value": 14}]},
        "remedy": "role x",
        **changes,
    }


def judge(control: dict[str, Any], now: Any, boot: Any, settings: dict[str, Any] | None = None) -> Result:
    found = {"n": Observation("ok", now), "b": boot if isinstance(boot, Observation) else Observation("ok", boot)}
    return evaluate(control, found, CONTEXT, (), TODAY, settings)


@pytest.mark.parametrize(
    ("now", "boot", "state", "drift"),
    [(14, 14, "pass", None), (14, 8, "fail", "runtime"), (8, 14, "fail", "runtime"), (8, 8, "fail", None)],
)
def test_what_is_in_force_and_what_boots_must_both_hold(now: int, boot: int, state: str, drift: str | None) -> None:
    result = judge(demanding(), now, boot)
    assert (result.state, result.drift) == (state, drift)
    assert "after a reboot" in result.expected


def test_a_failure_that_only_boots_says_so() -> None:
    assert judge(demanding(), 14, 8).reason.startswith("in force now, and not after a reboot: boot = 8")


def test_what_boots_and_cannot_be_read_is_no_pass_and_hides_no_failure() -> None:
    lost = Observation("error", reason="no such folder")
    assert judge(demanding(), 14, lost).state == "error"
    assert judge(demanding(), 8, lost).state == "fail"


def test_a_variant_without_persist_demands_nothing_of_the_next_boot() -> None:
    variants = [{"when": {"modes": ["training"]}, "expect": {"all": [{"obs": "now", "op": "ge", "value": 1}]}}]
    assert judge(demanding(variants=variants), 2, 0).state == "pass"


def test_a_site_expects_more_and_the_result_says_it() -> None:
    control = demanding(
        params={"length": PARAMETER}, expect={"any": [{"obs": "now", "op": "ge", "value": {"param": "length"}}]}
    )
    settings = {"RMP-TST-001": {"length": 20}}
    assert judge(control, 15, 14).state == "pass"
    result = judge(control, 15, 14, settings)
    assert (result.state, result.parameters) == ("fail", {"length": {"value": 20, "default": 14}})
    assert "this site expects length 20, the control 14" in result.reason
    assert "now >= 20" in result.expected
    assert "this site expects" in judge(control, 25, 14, settings).reason


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"RMP-TST-009": {"length": 20}}, "no control has that id"),
        ({"RMP-TST-001": {"size": 20}}, "which it does not have (it has: length)"),
        ({"RMP-TST-001": {"length": "20"}}, "wanted a value of type int"),
        ({"RMP-TST-001": {"length": True}}, "wanted a value of type int"),
        ({"RMP-TST-001": {"length": 4}}, "wanted 12 or more"),
        ({"RMP-TST-001": {"length": 400}}, "wanted 64 or less"),
        ({"RMP-TST-001": 20}, "wanted {parameter: value}"),
        ([], "posture_parameters is []"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_told(settings: Any, said: str) -> None:
    controls = {"RMP-TST-001": demanding(params={"length": PARAMETER})}
    assert said in " ".join(setting_problems(settings, controls))


def test_a_host_that_nobody_looked_at_is_not_judged_from_outside() -> None:
    probe = {"id": "out", "kind": "tcp_ports", "vantage": "external"}
    control = demanding(
        probes=[probe],
        expect={"all": [{"obs": "out", "field": "open", "op": "subset", "value": [22]}]},
        applies={"requires": [{"obs": "out", "op": "present"}], "reason_if_not": "no vantage point"},
    )
    del control["persist"]
    assert evaluate(control, {}, CONTEXT, (), TODAY).state == "not_applicable"
    for ports, state in (([22], "pass"), ([22, 8000], "fail")):
        found = {probe_key(probe): Observation("ok", {"open": ports})}
        assert evaluate(control, found, CONTEXT, (), TODAY).state == state
    broken = {probe_key(probe): Observation("error", reason="the peer has no route")}
    assert evaluate(control, broken, CONTEXT, (), TODAY).state == "error"
