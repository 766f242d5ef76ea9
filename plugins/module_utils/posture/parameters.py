# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of controls: what a site may expect otherwise, and only by saying so; the report prints each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TypeGuard

Control = Mapping[str, Any]
Settings = Mapping[str, Mapping[str, Any]]

_TYPES = {"int": int, "str": str, "bool": bool, "list": list}


def values_of(control: Control, settings: Settings) -> dict[str, dict[str, Any]]:
    """Return {name: {value, default}} of a control's parameters as they hold with the settings of a site."""
    chosen = settings.get(str(control["id"]), {})
    return {
        name: {"value": chosen.get(name, meant["default"]), "default": meant["default"]}
        for name, meant in control.get("params", {}).items()
    }


def bind(tree: Mapping[str, Any], values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a tree of conditions with each `{param: name}` replaced by the value that holds.

    KeyError for a name that the control does not declare; the catalogue is checked for that when it is loaded.
    """
    for joint in ("all", "any"):
        if joint in tree:
            return {joint: [bind(member, values) for member in tree[joint]]}
    value = tree.get("value")
    if is_parameter(value):
        return {**tree, "value": values[value["param"]]["value"]}
    return dict(tree)


def is_parameter(value: Any) -> TypeGuard[Mapping[str, str]]:
    """Say whether a condition's value names a parameter."""
    return isinstance(value, Mapping) and set(value) == {"param"}


def setting_problems(settings: Any, controls: Mapping[str, Control]) -> Iterator[str]:
    """Yield what is wrong with a site's settings: {control id: {parameter: value}}."""
    if not isinstance(settings, Mapping):
        yield f"posture_parameters is {settings!r}, wanted {{control id: {{parameter: value}}}}"
        return
    for name, chosen in settings.items():
        declared = controls[name].get("params", {}) if name in controls else None
        if declared is None:
            yield f"posture_parameters names control '{name}', and no control has that id"
        elif not isinstance(chosen, Mapping):
            yield f"posture_parameters of {name} is {chosen!r}, wanted {{parameter: value}}"
        else:
            for key, value in chosen.items():
                if key not in declared:
                    known = ", ".join(sorted(declared)) or "none"
                    yield f"posture_parameters of {name} sets '{key}', which it does not have (it has: {known})"
                else:
                    for problem in value_problems(value, declared[key]):
                        yield f"posture_parameters of {name}: {key} is {value!r}, wanted {problem}"


def value_problems(value: Any, meant: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a value of a parameter should be instead, by the parameter's declaration."""
    wanted = _TYPES[meant["type"]]
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        yield f"a value of type {meant['type']}"
        return
    if "min" in meant and value < meant["min"]:
        yield f"{meant['min']} or more"
    if "max" in meant and value > meant["max"]:
        yield f"{meant['max']} or less"
    members = value if isinstance(value, list) else [value]
    if "choices" in meant and not all(member in meant["choices"] for member in members):
        yield "one of " + ", ".join(str(choice) for choice in meant["choices"])
