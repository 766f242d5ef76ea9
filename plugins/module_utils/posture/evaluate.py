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
    join,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.describe import words_of
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import (
    Observation,
    Result,
    Waiver,
    is_external,
    probe_key,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.ops import same
from ansible_collections.rampart.fleet.plugins.module_utils.posture.parameters import Settings, bind, values_of

Control = Mapping[str, Any]
Context = Mapping[str, Any]

_LOST = Observation("error", reason="the host returned no observation for this probe")
_UNSEEN = Observation("absent", reason="no other host looked at this one")


@dataclass(frozen=True)
class _Demand:
    """What is expected here, now and after a reboot, and the conflict that made it differ from the usual."""

    expect: Mapping[str, Any]
    persist: Mapping[str, Any] | None = None
    because: str | None = None


def evaluate(
    control: Control,
    observations: Mapping[str, Observation],
    context: Context,
    waivers: Sequence[Waiver],
    now: date,
    settings: Settings | None = None,
) -> Result:
    """Return the result of a control on the host of `context` (`hostname`, `mode`, `virt`, `workload`).

    `observations` are by `probe_key`; one that is missing counts as an error of the probe, or as absent when it is to
    be made from outside. `settings` are the site's values of parameters, by control.
    """
    keys = _keys(control)
    own = _own_observations(control, keys, observations)
    blank = Result(control["id"], control["severity"], "manual", obs=tuple(dict.fromkeys(keys.values())))
    outside = _applicability(control, own, context)
    if outside is not None:
        return replace(blank, state=outside.state, reason=outside.reason)
    if control.get("manual"):
        return replace(blank, reason=str(control.get("rationale") or "a person has to judge"))
    values = values_of(control, settings or {})
    demand = _demand(control, context)
    if isinstance(demand, Doubt):
        return replace(blank, state=demand.state, reason=demand.reason)
    demand = _bound(demand, values)
    told = replace(blank, expected=_wanted(demand), because=demand.because, parameters=values)
    finding = check(demand.expect, own)
    later = check(demand.persist, own) if demand.persist else None
    both = finding if later is None else join([finding, later], decisive=False)
    told = replace(told, observed="; ".join(both.observed[:12]), offenders=both.offenders)
    dispute = _dispute(control, demand.expect, own)
    if dispute is not None:
        return replace(told, state=dispute.state, reason=dispute.reason)
    judged = _with_drift(_judged(told, both), finding, later)
    return _with_waiver(judged, waivers, str(context.get("hostname", "")), now)


def _keys(control: Control) -> dict[str, str]:
    """Return the observation key of each of the control's own observation names."""
    return {probe["id"]: probe_key(probe) for probe in control.get("probes", ())}


def _own_observations(
    control: Control, keys: Mapping[str, str], observations: Mapping[str, Observation]
) -> dict[str, Observation]:
    found = {}
    for probe in control.get("probes", ()):
        lost = _UNSEEN if is_external(probe) else _LOST
        found[probe["id"]] = observations.get(keys[probe["id"]], lost)
    return found


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
    if finding.truth:
        return None
    # Why something is absent says more than that it is: nobody could look, or the one who did met nothing.
    seen = [own[one["obs"]] for one in applies.get("requires", ()) if one["op"] == "present" and "field" not in one]
    reasons = dict.fromkeys(one.reason for one in seen if one.status == "absent" and one.reason)
    return _Outside("not_applicable", f"{why} ({'; '.join(list(reasons or finding.observed)[:3])})")


def _demand(control: Control, context: Context) -> _Demand | Doubt:
    for variant in control.get("variants", ()):
        met = _matches(variant["when"], context)
        if isinstance(met, Doubt):
            return met
        if met:
            return _Demand(variant["expect"], variant.get("persist"), variant.get("because"))
    return _Demand(control["expect"], control.get("persist"))


def _bound(demand: _Demand, values: Mapping[str, Mapping[str, Any]]) -> _Demand:
    later = bind(demand.persist, values) if demand.persist else None
    return replace(demand, expect=bind(demand.expect, values), persist=later)


def _wanted(demand: _Demand) -> str:
    if demand.persist is None:
        return words_of(demand.expect)
    return f"{words_of(demand.expect)}; after a reboot {words_of(demand.persist)}"


def _with_drift(result: Result, now: Finding, later: Finding | None) -> Result:
    """Say of a failure whether only what runs, or only what boots, deviates."""
    if later is None or None in (now.truth, later.truth) or now.truth == later.truth:
        return result
    where = "in force now, and not after a reboot" if now.truth else "right after a reboot, and not in force now"
    return replace(result, drift="runtime", reason=f"{where}: {result.reason}")


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
    notes = _notes(told)
    suffix = "".join(f" ({note})" for note in notes)
    if finding.doubt is not None:
        return replace(told, state=finding.doubt.state, reason=finding.doubt.reason)
    if finding.truth:
        return replace(told, state="pass", reason="; ".join(notes))
    listed = f": {', '.join(finding.offenders[:5])}" if finding.offenders else ""
    more = f" and {len(finding.offenders) - 5} more" if len(finding.offenders) > 5 else ""
    found = finding.observed[0] if finding.observed else "nothing was observed"
    return replace(told, state="fail", reason=f"{found}{listed}{more}, wanted {told.expected}{suffix}")


def _notes(told: Result) -> list[str]:
    """Return why the expectation is not the usual one."""
    notes = [f"expected differently here because of {told.because}"] if told.because else []
    for name, each in told.parameters.items():
        if each["value"] != each["default"]:
            notes.append(f"this site expects {name} {each['value']!r}, the control {each['default']!r}")
    return notes


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
