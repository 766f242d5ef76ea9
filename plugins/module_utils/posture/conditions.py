# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Conditions over observations, in three values: true, false, or a reason why it cannot be told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import Observation
from ansible_collections.rampart.fleet.plugins.module_utils.posture.ops import OperatorError, operators

Observations = Mapping[str, Observation]

_NAMES = ("path", "name", "user", "port", "id", "unit", "key")
_SHOWN_OFFENDERS = 20
_SHOWN_CHARS = 160


@dataclass(frozen=True)
class Doubt:
    """Why a condition cannot be told: `state` is error or unknown."""

    state: str
    reason: str


@dataclass(frozen=True)
class Finding:
    """What came of a condition or a tree of them. `truth` is None exactly when there is a doubt."""

    truth: bool | None
    observed: tuple[str, ...] = ()
    offenders: tuple[str, ...] = ()
    doubt: Doubt | None = None


class _Missing:
    """Stands where a field does not exist."""


_MISSING = _Missing()


def check(expect: Mapping[str, Any], observations: Observations) -> Finding:
    """Return what a tree of `all` and `any` says; false outweighs doubt in `all`, true outweighs it in `any`."""
    if "all" in expect:
        return join([check(member, observations) for member in expect["all"]], decisive=False)
    if "any" in expect:
        return join([check(member, observations) for member in expect["any"]], decisive=True)
    return _condition(expect, observations[expect["obs"]])


def join(findings: Sequence[Finding], decisive: bool) -> Finding:
    """Return what several findings say together; `decisive` is the truth that one of them gives to all."""
    deciding = [finding for finding in findings if finding.truth is decisive]
    doubtful = [finding for finding in findings if finding.doubt is not None]
    if deciding:
        # Of an `all` that fails, only what fails is worth showing first.
        return Finding(decisive, _observed(deciding, findings), _offenders(deciding))
    if doubtful:
        return Finding(None, _observed(doubtful, findings), (), doubtful[0].doubt)
    return Finding(not decisive, _observed(findings, findings), _offenders(findings))


def _observed(first: Sequence[Finding], every: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for finding in (*first, *every) for text in finding.observed))


def _offenders(findings: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for finding in findings for text in finding.offenders))


def _condition(condition: Mapping[str, Any], observation: Observation) -> Finding:
    label = label_of(condition)
    if observation.status == "error":
        return Finding(None, (f"{label}: error",), doubt=Doubt("error", observation.reason or "the probe failed"))
    if observation.status == "timeout":
        return Finding(
            None, (f"{label}: no answer",), doubt=Doubt("unknown", observation.reason or "no answer in time")
        )
    value = _MISSING if observation.status == "absent" else field_of(observation.value, condition.get("field", ""))
    try:
        return _judge(condition, label, value)
    except OperatorError as error:
        text = f"{label} with {condition['op']}: {error}"
        return Finding(None, (show(label, value),), doubt=Doubt("error", text))


def _judge(condition: Mapping[str, Any], label: str, value: Any) -> Finding:
    operator = condition["op"]
    if operator in ("absent", "present"):
        truth = (value is _MISSING) == (operator == "absent")
        return Finding(truth, (show(label, value),))
    if value is _MISSING:
        return Finding(False, (show(label, value),))
    if condition.get("each"):
        return _judge_each(condition, label, value)
    if isinstance(value, _Many):
        raise OperatorError("the field runs through a list: say `each: true`, or name an element by its number")
    return Finding(operators()[operator](value, condition.get("value")), (show(label, value),))


def _judge_each(condition: Mapping[str, Any], label: str, value: Any) -> Finding:
    if not isinstance(value, (list, _Many)):
        raise OperatorError(f"`each` needs a list, found {_short(value)}")
    elements = value.pairs if isinstance(value, _Many) else [(element, element) for element in value]
    judge = operators()[condition["op"]]
    offenders = []
    for element, part in elements:
        if part is _MISSING or not judge(part, condition.get("value")):
            offenders.append(_offender(element, part))
    count = len(elements)
    observed = f"{label}: {len(offenders)} of {count} do not comply" if offenders else f"{label}: all {count} comply"
    return Finding(not offenders, (observed,), tuple(offenders[:_SHOWN_OFFENDERS]))


@dataclass(frozen=True)
class _Many:
    """A field that ran through a list: the elements, each with its part."""

    pairs: list[tuple[Any, Any]]


def field_of(value: Any, path: str) -> Any:
    """Return the part of a value that a dotted path names; keys may hold dots themselves, elements are named by number.

    A path that goes on behind a list yields the parts of all elements, for `each`.
    """
    if not path:
        return value
    if isinstance(value, Mapping):
        if path in value:
            return value[path]
        head = path
        while "." in head:
            head = head.rpartition(".")[0]
            if head in value:
                return field_of(value[head], path[len(head) + 1 :])
        return _MISSING
    if isinstance(value, list):
        head, _unused, rest = path.partition(".")
        if head.isdigit():
            return field_of(value[int(head)], rest) if int(head) < len(value) else _MISSING
        return _Many([(element, field_of(element, path)) for element in value])
    return _MISSING


def label_of(condition: Mapping[str, Any]) -> str:
    """Return what a condition is about, for people."""
    return str(condition.get("field") or condition["obs"])


def show(label: str, value: Any) -> str:
    """Return `label = value`, cut to a length that a line bears."""
    if value is _MISSING:
        return f"{label} is absent"
    return f"{label} = {_short([part for _unused, part in value.pairs] if isinstance(value, _Many) else value)}"


def _offender(element: Any, part: Any) -> str:
    if not isinstance(element, Mapping):
        return _short(element)
    name = next((str(element[key]) for key in _NAMES if element.get(key) is not None), None)
    if name is None:
        return _short(element)
    return name if part is element else f"{name} ({'absent' if part is _MISSING else _short(part)})"


def _short(value: Any) -> str:
    plain = isinstance(value, str)
    text = value if plain else json.dumps(value, sort_keys=True, ensure_ascii=False, default=lambda part: "absent")
    text = text if text else '""'
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 3] + "..."
