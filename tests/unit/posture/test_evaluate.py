# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The verdict on one control, in every state."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.evaluate import evaluate
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import Observation, Result, Waiver
from hypothesis import given
from hypothesis import strategies as st

TODAY = date(2026, 3, 1)
CONTEXT = {"hostname": "gpu1", "mode": "inference", "virt": "vm", "workload": {"gpu": ["nvidia"], "rdma": []}}


def control(**changes: Any) -> dict[str, Any]:
    return {
        "id": "RMP-TST-001",
        "title": "A thing is so",
        "severity": "high",
        "rationale": "Because.",
        "probes": [{"id": "a", "kind": "x"}],
        "expect": {"all": [{"obs": "a", "op": "eq", "value": 1}]},
        "remedy": "role x",
        **changes,
    }


def ok(value: Any) -> Observation:
    return Observation("ok", value)


def judge(
    asked: Mapping[str, Any],
    found: Mapping[str, Observation],
    context: Mapping[str, Any] = CONTEXT,
    waivers: tuple[Waiver, ...] = (),
) -> Result:
    return evaluate(asked, found, context, waivers, TODAY)


def waiver(**changes: Any) -> Waiver:
    given_: dict[str, Any] = {
        "id": "W-1",
        "control": "RMP-TST-001",
        "hosts": ("gpu*",),
        "owner": "ops",
        "reason": "vendor",
        "created": date(2026, 2, 1),
        "expires": TODAY,
        "ticket": "OPS-1",
        "compensating_control": "the bastion",
        **changes,
    }
    return Waiver(**given_)


def test_pass_and_fail_say_what_was_expected_and_observed() -> None:
    assert judge(control(), {"x": ok(1)}).state == "pass"
    failed = judge(control(), {"x": ok(2)})
    assert (failed.state, failed.expected, failed.observed) == ("fail", "a = 1", "a = 2")
    assert failed.reason == "a = 2, wanted a = 1"
    assert failed.obs == ("x",)


@pytest.mark.parametrize(("status", "state"), [("error", "error"), ("timeout", "unknown")])
def test_a_probe_that_failed_is_not_a_pass_and_says_why(status: str, state: str) -> None:
    result = judge(control(), {"x": Observation(status, 1, reason="it broke")})
    assert (result.state, result.reason) == (state, "it broke")


def test_an_observation_that_was_not_returned_is_an_error() -> None:
    assert judge(control(), {}).state == "error"


@pytest.mark.parametrize(
    ("op", "value", "state"),
    [
        ("absent", None, "pass"),
        ("present", None, "fail"),
        ("ne", 1, "fail"),
        ("not_in", [1], "fail"),
        ("empty", None, "fail"),
    ],
)
def test_nothing_but_absent_is_true_of_what_is_absent(op: str, value: Any, state: str) -> None:
    condition = {"obs": "a", "op": op, **({} if value is None else {"value": value})}
    assert judge(control(expect={"all": [condition]}), {"x": Observation("absent")}).state == state
    missing = {**condition, "field": "no.such"}
    assert judge(control(expect={"all": [missing]}), {"x": ok({"no": 1})}).state == state


def test_false_outweighs_doubt_in_all_and_true_outweighs_it_in_any() -> None:
    probes = [{"id": "a", "kind": "x"}, {"id": "b", "kind": "y"}]
    members = [{"obs": "b", "op": "eq", "value": 1}, {"obs": "a", "op": "eq", "value": 1}]
    broken = Observation("error", reason="broken")
    every, some = control(probes=probes, expect={"all": members}), control(probes=probes, expect={"any": members})
    assert judge(every, {"x": ok(2), "y": broken}).state == "fail"
    assert judge(every, {"x": ok(1), "y": broken}).state == "error"
    assert judge(some, {"x": ok(1), "y": broken}).state == "pass"
    assert judge(some, {"x": ok(2), "y": broken}).state == "error"


def test_an_operator_that_does_not_fit_the_value_is_an_error() -> None:
    result = judge(control(expect={"all": [{"obs": "a", "op": "ge", "value": 1}]}), {"x": ok("unlimited")})
    assert result.state == "error"
    assert "unlimited" in result.reason


def test_each_names_its_offenders() -> None:
    asked = control(
        expect={"all": [{"obs": "a", "each": True, "field": "mode", "op": "mode_at_most", "value": "0600"}]}
    )
    files = [{"path": "/a", "mode": "0600"}, {"path": "/b", "mode": "0644"}, {"path": "/c"}]
    result = judge(asked, {"x": ok(files)})
    assert result.state == "fail"
    assert result.offenders == ("/b (0644)", "/c (absent)")
    assert "/b (0644)" in result.reason
    assert judge(asked, {"x": ok([])}).state == "pass"
    assert judge(asked, {"x": ok({"mode": "0600"})}).state == "error"


def test_each_reaches_a_list_inside_a_value_and_what_lies_behind_it() -> None:
    table = {"chains": [{"name": "input", "policy": "drop"}, {"name": "forward", "policy": "accept"}]}
    asked = control(expect={"all": [{"obs": "a", "field": "chains.policy", "each": True, "op": "eq", "value": "drop"}]})
    assert judge(asked, {"x": ok(table)}).offenders == ("forward (accept)",)


def test_a_field_behind_a_list_needs_each() -> None:
    asked = control(expect={"all": [{"obs": "a", "field": "chains.policy", "op": "ne", "value": "accept"}]})
    assert judge(asked, {"x": ok({"chains": [{"policy": "accept"}]})}).state == "error"


def test_keys_with_dots_and_numbers_of_elements_are_paths() -> None:
    value = {"random.trust_cpu": "1", "list": [{"n": 1}, {"n": 2}]}
    dotted = control(expect={"all": [{"obs": "a", "field": "random.trust_cpu", "op": "eq", "value": "1"}]})
    numbered = control(expect={"all": [{"obs": "a", "field": "list.1.n", "op": "eq", "value": 2}]})
    assert judge(dotted, {"x": ok(value)}).state == judge(numbered, {"x": ok(value)}).state == "pass"


@pytest.mark.parametrize("applies", [{"virt": ["baremetal"]}, {"modes": ["idle"]}])
def test_what_does_not_apply_says_why(applies: dict[str, Any]) -> None:
    result = judge(control(applies={**applies, "reason_if_not": "no kernel of its own"}), {"x": ok(2)})
    assert result.state == "not_applicable"
    assert "no kernel of its own" in result.reason


def test_whether_it_applies_must_be_known() -> None:
    asked = control(applies={"virt": ["vm"], "reason_if_not": "why"})
    assert judge(asked, {"x": ok(1)}, {**CONTEXT, "virt": None}).state == "unknown"
    needs = control(applies={"requires": [{"obs": "a", "op": "present"}], "reason_if_not": "no sshd"})
    assert judge(needs, {"x": Observation("absent")}).reason == "no sshd (a is absent)"
    assert judge(needs, {"x": Observation("error", reason="broken")}).state == "error"
    assert judge(needs, {"x": ok(1)}).state == "pass"


def test_the_first_variant_that_matches_decides() -> None:
    variants = [
        {"when": {"modes": ["training"]}, "expect": {"all": [{"obs": "a", "op": "eq", "value": 3}]}},
        {
            "when": {"modes": ["inference", "idle"], "workload": ["rdma", "nvidia"]},
            "expect": {"all": [{"obs": "a", "op": "eq", "value": 2}]},
            "because": "cma-ptrace",
        },
    ]
    asked = control(variants=variants)
    assert judge(asked, {"x": ok(3)}, {**CONTEXT, "mode": "training"}).state == "pass"
    assert judge(asked, {"x": ok(2)}).because == "cma-ptrace"
    assert "cma-ptrace" in judge(asked, {"x": ok(1)}).reason
    assert judge(asked, {"x": ok(1)}, {**CONTEXT, "workload": {}}).state == "pass"
    assert judge(asked, {"x": ok(1)}, {**CONTEXT, "workload": None}).state == "unknown"


def test_two_readings_that_differ_are_a_conflict_even_when_one_would_do() -> None:
    probes = [{"id": "a", "kind": "x"}, {"id": "b", "kind": "y"}]
    asked = control(
        probes=probes, expect={"all": [{"obs": "a", "field": "v", "op": "eq", "value": 1}]}, agreement=["a", "b"]
    )
    both = control(
        probes=probes,
        expect={"all": [{"obs": name, "field": "v", "op": "eq", "value": 1} for name in "ab"]},
        agreement=["a", "b"],
    )
    assert judge(asked, {"x": ok({"v": 1}), "y": ok({"v": 1})}).state == "conflict"
    assert judge(both, {"x": ok({"v": 1, "z": 1}), "y": ok({"v": 1})}).state == "pass"
    assert judge(both, {"x": ok({"v": 1}), "y": ok({"v": 2})}).state == "conflict"
    assert judge(both, {"x": ok({"v": 1}), "y": Observation("absent")}).state == "conflict"
    assert judge(both, {"x": ok({"v": 1}), "y": Observation("timeout")}).state == "unknown"


def test_manual_is_for_a_person() -> None:
    asked = {key: value for key, value in control(manual=True).items() if key not in ("probes", "expect")}
    assert judge(asked, {}).state == "manual"


def test_a_waiver_excuses_a_failure_and_keeps_what_was_observed() -> None:
    result = judge(control(), {"x": ok(2)}, waivers=(waiver(),))
    assert (result.state, result.waiver, result.observed) == ("waived", "W-1", "a = 2")


@pytest.mark.parametrize("changes", [{"control": "RMP-TST-002"}, {"hosts": ("store*",)}])
def test_a_waiver_for_something_else_excuses_nothing(changes: dict[str, Any]) -> None:
    result = judge(control(), {"x": ok(2)}, waivers=(waiver(**changes),))
    assert (result.state, result.waiver) == ("fail", None)


def test_an_expired_waiver_is_a_failure_that_says_so() -> None:
    result = judge(control(), {"x": ok(2)}, waivers=(waiver(expires=date(2026, 2, 28)),))
    assert (result.state, result.waiver) == ("fail", "W-1")
    assert "expired on 2026-02-28" in result.reason


VALUES = st.one_of(st.integers(0, 3), st.text(max_size=3), st.none(), st.lists(st.integers(0, 2), max_size=2))
OBSERVATIONS = st.builds(Observation, st.sampled_from(["ok", "absent", "error", "timeout"]), VALUES)
BAD = st.builds(Observation, st.sampled_from(["error", "timeout"]), VALUES)
CONDITIONS = st.fixed_dictionaries(
    {
        "obs": st.sampled_from("ab"),
        "op": st.sampled_from(["eq", "ne", "in", "ge", "absent", "present", "contains"]),
        "value": VALUES,
    }
)
TREES = st.recursive(
    CONDITIONS,
    lambda inner: st.sampled_from(["all", "any"]).flatmap(
        lambda key: st.lists(inner, min_size=1, max_size=3).map(lambda members: {key: members})
    ),
    max_leaves=6,
).map(lambda tree: tree if "obs" not in tree else {"all": [tree]})
PROBES = [{"id": "a", "kind": "x"}, {"id": "b", "kind": "y"}]


@given(TREES, BAD, BAD)
def test_when_no_probe_answered_nothing_ever_passes(tree: Any, first: Observation, second: Observation) -> None:
    result = judge(control(probes=PROBES, expect=tree), {"x": first, "y": second})
    assert result.state in ("error", "unknown")


@given(st.lists(CONDITIONS, min_size=1, max_size=4), OBSERVATIONS, BAD)
def test_an_all_over_a_failed_probe_never_passes(members: Any, first: Observation, second: Observation) -> None:
    looked = [*members, {"obs": "b", "op": "absent"}]
    assert judge(control(probes=PROBES, expect={"all": looked}), {"x": first, "y": second}).state != "pass"


@given(TREES, OBSERVATIONS, OBSERVATIONS, st.dates())
def test_a_waiver_touches_failures_only(tree: Any, first: Observation, second: Observation, expires: date) -> None:
    asked, found = control(probes=PROBES, expect=tree), {"x": first, "y": second}
    without, given_ = judge(asked, found), judge(asked, found, waivers=(waiver(expires=expires),))
    if without.state == "fail":
        assert given_.state == ("waived" if expires >= TODAY else "fail")
        assert given_.observed == without.observed
    else:
        assert given_ == without


@given(TREES, OBSERVATIONS, OBSERVATIONS)
def test_a_verdict_is_a_function_of_its_arguments(tree: Any, first: Observation, second: Observation) -> None:
    asked, found = control(probes=PROBES, expect=tree), {"x": first, "y": second}
    stored = {key: Observation.from_json(one.to_json()) for key, one in found.items()}
    assert judge(asked, found) == judge(asked, stored)


@given(OBSERVATIONS, st.sampled_from(["inference", "training", "idle", "quarantine"]))
def test_a_variant_for_one_mode_changes_no_other(found: Observation, mode: str) -> None:
    variant = {"when": {"modes": ["training"]}, "expect": {"all": [{"obs": "a", "op": "absent"}]}}
    context = {**CONTEXT, "mode": mode}
    plain, varied = judge(control(), {"x": found}, context), judge(control(variants=[variant]), {"x": found}, context)
    assert (plain == varied) or mode == "training"
