# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""For every control of the catalogue: without evidence there is no pass, in whatever mode and on whatever machine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.evaluate import evaluate
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import (
    Observation,
    Result,
    is_external,
    probe_key,
)
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture import catalogue

ROOT = Path(__file__).parents[3]
CONTROLS = [entry.control for entry in catalogue.load(catalogue.sources(ROOT)).entries]
BLIND = {"error": {"error"}, "timeout": {"unknown"}}
WORKLOAD = {"gpu": ["nvidia"], "rdma": ["mlx5_0"], "rdma_netdevs": [], "container_runtime": ["docker"]}
SYSTEM = {"hostname": "h", "os": {"id": "debian", "version": "12"}, "kernel": "6.1"}
CONTEXTS = [
    {**SYSTEM, "mode": mode, "virt": virt, "workload": work}
    for mode, virt, work in product(
        ("inference", "training", "idle", "quarantine"), ("baremetal", "vm", "container"), (WORKLOAD, {})
    )
]

every = pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control["id"])


def results(control: Mapping[str, Any], observation: Observation) -> list[Result]:
    """The control judged in every context with each of its observations being this one."""
    observations = {probe_key(probe): observation for probe in control.get("probes", ())}
    return [evaluate(control, observations, context, (), date(2026, 1, 1)) for context in CONTEXTS]


def out_of_context(control: Mapping[str, Any]) -> bool:
    """Whether there are contexts in which the control is not asked at all."""
    return bool({"modes", "virt"} & set(control.get("applies", {})))


@every
@pytest.mark.parametrize("status", BLIND)
def test_what_could_not_be_measured_is_no_pass(control: Mapping[str, Any], status: str) -> None:
    states = {result.state for result in results(control, Observation(status, reason="sabotage"))}
    allowed = BLIND[status] | ({"manual"} if control.get("manual") else set())
    assert states - {"not_applicable"} <= allowed
    assert "not_applicable" not in states or out_of_context(control)


@every
def test_no_observation_at_all_is_no_pass(control: Mapping[str, Any]) -> None:
    found = [evaluate(control, {}, context, (), date(2026, 1, 1)) for context in CONTEXTS]
    external = all(is_external(probe) for probe in control.get("probes", ()))
    states = {result.state for result in found} - {"not_applicable"}
    assert states <= ({"manual"} if control.get("manual") else {"error", "unknown"} if not external else {"fail"})


@every
def test_what_is_absent_passes_only_where_absence_is_wanted(control: Mapping[str, Any]) -> None:
    for result in results(control, Observation("absent", reason="no such thing")):
        assert result.state != "pass" or wants_absence(control), result.reason


def wants_absence(control: Mapping[str, Any]) -> bool:
    """Whether some condition of the control says so: a pass without it would be one by accident."""
    trees = [control.get("expect"), control.get("persist")]
    for variant in control.get("variants", ()):
        trees += [variant.get("expect"), variant.get("persist")]
    return any(leaf["op"] == "absent" for tree in trees if tree for leaf in leaves(tree))


def leaves(tree: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    members = tree.get("all") or tree.get("any")
    return [tree] if members is None else [leaf for member in members for leaf in leaves(member)]
