# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a list of controls beyond its shape: names that mean nothing, patterns that are none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture import probes, vantage
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import is_external, params_of
from ansible_collections.rampart.fleet.plugins.module_utils.posture.parameters import is_parameter, value_problems
from jsonschema import Draft202012Validator

Control = Mapping[str, Any]

SCHEMA = Path(__file__).with_name("control.schema.json")


def shape_problems(document: Any) -> list[str]:
    """Return how a file's content deviates from control.schema.json, each with the control it is in."""
    validator = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    return [_explain(error, document) for error in validator.iter_errors(document)]


def _explain(error: Any, document: Any) -> str:
    path = list(error.absolute_path)
    where = "the file"
    if path and isinstance(document, list):
        control = document[path[0]]
        named = control.get("id") if isinstance(control, Mapping) else None
        where = " ".join(filter(None, [f"control {path[0] + 1}", f"({named})" if named else ""]))
        where += "".join(f", {part}" for part in path[1:])
    deepest = min(error.context, key=lambda cause: -len(cause.absolute_path), default=None) if error.context else None
    return f"{where}: {(deepest or error).message}"


def meaning_problems(control: Control, conflicts: frozenset[str]) -> list[str]:
    """Return what a well-shaped control names that does not exist: probe kinds, parameters, observations, conflicts."""
    name = control["id"]
    declared = [probe["id"] for probe in control.get("probes", ())]
    found = [f"probe id '{one}' stands twice" for one in sorted({one for one in declared if declared.count(one) > 1})]
    found += _probe_problems(control)
    found += _name_problems(control, set(declared))
    found += _pattern_problems(control)
    found += _parameter_problems(control)
    found += _outside_problems(control)
    for variant in control.get("variants", ()):
        because = str(variant.get("because", ""))
        # A sentence has blanks; a single word is the id of a conflict.
        if because and " " not in because and because not in conflicts:
            found.append(f"because '{because}' is neither a sentence nor the id of a known conflict")
    return [f"{name}: {problem}" for problem in found]


def _probe_problems(control: Control) -> Iterator[str]:
    inside, outside = probes.kinds(), vantage.kinds()
    for probe in control.get("probes", ()):
        kinds = outside if is_external(probe) else inside
        kind = kinds.get(probe["kind"])
        if kind is None:
            yield f"probe kind '{probe['kind']}' is not known, wanted one of {', '.join(sorted(kinds)) or 'none'}"
        else:
            yield from kind.problems(params_of(probe))


def _outside_problems(control: Control) -> Iterator[str]:
    required = {condition["obs"] for condition in control.get("applies", {}).get("requires", ())}
    for probe in control.get("probes", ()):
        if is_external(probe) and probe["id"] not in required:
            yield (
                f"probe '{probe['id']}' is external, and applies.requires does not ask for it to be present: "
                "a fleet of one host has nobody who looks from outside"
            )


def _parameter_problems(control: Control) -> Iterator[str]:
    declared = control.get("params", {})
    used = {condition["value"]["param"] for condition in conditions_of(control) if is_parameter(condition.get("value"))}
    for name in sorted(used - set(declared)):
        yield f"parameter '{name}' is not declared in params: {', '.join(sorted(declared)) or 'it has none'}"
    for name in sorted(set(declared) - used):
        yield f"parameter '{name}' is declared and never looked at"
    for name, meant in declared.items():
        for problem in value_problems(meant["default"], meant):
            yield f"the default of parameter '{name}' is {meant['default']!r}, wanted {problem}"


def _name_problems(control: Control, declared: set[str]) -> Iterator[str]:
    used = [condition["obs"] for condition in conditions_of(control)] + list(control.get("agreement", ()))
    for name in sorted(set(used) - declared):
        yield f"observation '{name}' is not one of its probes: {', '.join(sorted(declared)) or 'it has none'}"
    for name in sorted(declared - set(used)):
        yield f"probe '{name}' is measured and never looked at"


def _pattern_problems(control: Control) -> Iterator[str]:
    for condition in conditions_of(control):
        if condition["op"] in ("regex_full", "not_regex_full") and isinstance(condition["value"], str):
            try:
                re.compile(condition["value"])
            except re.error as error:
                yield f"'{condition['value']}' is no regular expression: {error}"


def conditions_of(control: Control) -> list[Mapping[str, Any]]:
    """Return every condition of a control: what it requires, expects, and expects in its variants."""
    trees: list[Mapping[str, Any]] = [{"all": control.get("applies", {}).get("requires", [])}]
    demands = [control, *control.get("variants", ())]
    trees += [demand[key] for demand in demands for key in ("expect", "persist") if key in demand]
    return [condition for tree in trees for condition in _leaves(tree)]


def _leaves(tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    members: Sequence[Mapping[str, Any]] | None = tree.get("all") or tree.get("any")
    if members is None:
        if "obs" in tree:
            yield tree
        return
    for member in members:
        yield from _leaves(member)
