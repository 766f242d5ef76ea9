# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The verdict on one control: a pure function of the control, what was observed, the context, the waivers and the day.

It can be computed again from stored evidence at any time, and it knows nothing of hosts, roles or Ansible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.conditions import (
    Doubt,
    Finding,
    Observations,
    check,
    field_of,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.describe import words_of
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import (
    Observation,
    Result,
    Waiver,
    observation_key,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.ops import same

Control = Mapping[str, Any]
Context = Mapping[str, Any]


@dataclass(frozen=True)
class _Demand:
    """What is expected here, and the conflict that made it differ from the usual."""

    expect: Mapping[str, Any]
    because: str | None = None


def evaluate(
    control: Control,
    observations: Mapping[str, Observation],
    context: Context,
    waivers: Sequence[Waiver],
    now: date,
) -> Result:
    """Return the result of a control on the host of `context` (`hostname`, `mode`, `virt`, `workload`).

    `observations` are by `observation_key`; one that is missing counts as an error of the probe.
    """
    own = _own_observations(control, observations)
    blank = Result(control["id"], control["severity"], "manual", obs=tuple(dict.fromkeys(_keys(control).values())))
    outside = _applicability(control, own, context)
    if outside is not None:
        return replace(blank, state=outside.state, reason=outside.reason)
    if control.get("manual"):
        return replace(blank, reason=str(control.get("rationale") or "a person has to judge"))
    demand = _demand(control, context)
    if isinstance(demand, Doubt):
        return replace(blank, state=demand.state, reason=demand.reason)
    told = replace(blank, expected=words_of(demand.expect), because=demand.because)
    finding = check(demand.expect, own)
    told = replace(told, observed="; ".join(finding.observed[:12]), offenders=finding.offenders)
    dispute = _dispute(control, demand.expect, own)
    if dispute is not None:
        return replace(told, state=dispute.state, reason=dispute.reason)
    return _with_waiver(_judged(told, finding), waivers, str(context.get("hostname", "")), now)


def _keys(control: Control) -> dict[str, str]:
    """Return the observation key of each of the control's own observation names."""
    return {probe["id"]: observation_key(probe["kind"], params_of(probe)) for probe in control.get("probes", ())}


def params_of(probe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters in a control's entry of `probes`."""
    return {name: value for name, value in probe.items() if name not in ("id", "kind")}


def _own_observations(control: Control, observations: Mapping[str, Observation]) -> dict[str, Observation]:
    lost = Observation("error", reason="the host returned no observation for this probe")
    return {name: observations.get(key, lost) for name, key in _keys(control).items()}


@dataclass(frozen=True)
class _Outside:
    """Why a control is not judged: its state and the reason."""

    state: str
    reason: str


def _applicability(control: Control, own: Observations, context: Context) -> _Outside | None:
    applies = control.get("applies", {})
    why = str(applies.get("reason_if_not", "it does not apply"))
    for key, name in (("virt", "virt"), ("modes", "mode")):
        if key not in applies:
            continue
        found = context.get(name)
        if not found:
            return _Outside("unknown", f"cannot tell whether the control applies: {name} of the host is not known")
        if found not in applies[key]:
            return _Outside("not_applicable", f"{why} ({name} is {found})")
    finding = check({"all": applies.get("requires", [])}, own)
    if finding.doubt is not None:
        return _Outside(finding.doubt.state, f"cannot tell whether the control applies: {finding.doubt.reason}")
    return None if finding.truth else _Outside("not_applicable", f"{why} ({'; '.join(finding.observed[:3])})")


def _demand(control: Control, context: Context) -> _Demand | Doubt:
    for variant in control.get("variants", ()):
        met = _matches(variant["when"], context)
        if isinstance(met, Doubt):
            return met
        if met:
            return _Demand(variant["expect"], variant.get("because"))
    return _Demand(control["expect"])


def _matches(when: Mapping[str, Sequence[str]], context: Context) -> bool | Doubt:
    for key, name in (("modes", "mode"), ("virt", "virt")):
        if key in when and context.get(name) not in when[key]:
            return False
    if "workload" not in when:
        return True
    workload = context.get("workload")
    if not isinstance(workload, Mapping):
        return Doubt("unknown", "what the host carries is not known, and the expectation depends on it")
    return any(word in _carried(workload) for word in when["workload"])


def _carried(workload: Mapping[str, Any]) -> set[str]:
    """Return the words that `when.workload` may name: the kinds that are there (gpu) and their members (nvidia)."""
    words = {name for name, found in workload.items() if found}
    for found in workload.values():
        if isinstance(found, list):
            words.update(str(member) for member in found)
    return words


def _dispute(control: Control, expect: Mapping[str, Any], own: Observations) -> _Outside | None:
    """Return why the readings that must agree do not, or cannot be compared."""
    names = control.get("agreement", ())
    readings = []
    for name in names:
        observation = own[name]
        if observation.status in ("error", "timeout"):
            state = "error" if observation.status == "error" else "unknown"
            return _Outside(state, f"{name} cannot be compared: {observation.reason or observation.status}")
        readings.append(_reading(observation, _field_for(expect, name)))
    if all(same(reading, readings[0]) for reading in readings[1:]):
        return None
    found = "; ".join(f"{name} says {reading!r}" for name, reading in zip(names, readings))
    return _Outside("conflict", f"two readings of one thing differ: {found}")


def _reading(observation: Observation, path: str) -> Any:
    if observation.status == "absent":
        return "absent"
    value = field_of(observation.value, path)
    return value if isinstance(value, (str, int, float, bool, list, dict)) or value is None else "absent"


def _field_for(expect: Mapping[str, Any], name: str) -> str:
    """Return the field that the first condition on an observation looks at; empty for the whole value."""
    for member in (*expect.get("all", ()), *expect.get("any", ())):
        if member.get("obs") == name:
            return str(member.get("field", ""))
        nested = _field_for(member, name)
        if nested:
            return nested
    return ""


def _judged(told: Result, finding: Finding) -> Result:
    suffix = f" (expected differently here because of {told.because})" if told.because else ""
    if finding.doubt is not None:
        return replace(told, state=finding.doubt.state, reason=finding.doubt.reason)
    if finding.truth:
        return replace(told, state="pass", reason=suffix.strip(" ()"))
    listed = f": {', '.join(finding.offenders[:5])}" if finding.offenders else ""
    more = f" and {len(finding.offenders) - 5} more" if len(finding.offenders) > 5 else ""
    found = finding.observed[0] if finding.observed else "nothing was observed"
    return replace(told, state="fail", reason=f"{found}{listed}{more}, wanted {told.expected}{suffix}")


def _with_waiver(result: Result, waivers: Sequence[Waiver], host: str, today: date) -> Result:
    """Turn a failure that is waived into that; nothing but a failure is ever touched."""
    if result.state != "fail":
        return result
    written = [waiver for waiver in waivers if waiver.covers(result.id, host)]
    for waiver in written:
        if not waiver.expired(today):
            until = f"waived until {waiver.expires.isoformat()} by {waiver.owner}: {waiver.reason}"
            return replace(result, state="waived", waiver=waiver.id, reason=f"{result.reason}; {until}")
    if written:
        last = max(written, key=lambda waiver: waiver.expires)
        note = f"the waiver of {last.owner} expired on {last.expires.isoformat()}"
        return replace(result, waiver=last.id, reason=f"{result.reason}; {note}")
    return result
