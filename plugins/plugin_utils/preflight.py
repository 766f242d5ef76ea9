# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the inventory of a host, found before anything is done to the host.

Pure: the variables come in as they are, templates resolved by the caller, and the problems go out.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .role_specs import RoleSpec

MODES = ("inference", "training", "idle", "quarantine")
SEVERITIES = ("critical", "high", "medium", "low", "info")
PRIVATE_PREFIX = "_"
# Stands for a value whose templates need what only the host knows; its type is checked when its role starts.
UNRESOLVED = object()

# (variable, value, option) -> what the value violates, or None; Ansible's own validator, given by the caller.
TypeCheck = Callable[[str, Any, Mapping[str, Any]], "str | None"]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: what and where, the value found, the value wanted, what to do."""

    what: str
    found: str
    wanted: str
    todo: str

    def __str__(self) -> str:
        """Return the problem as one line for a person."""
        return f"{self.what}: found {self.found}, wanted {self.wanted}. {self.todo}"


@dataclass(frozen=True)
class HostVariables:
    """The variables of a host, and the place (file:line) of those whose origin Ansible knows."""

    host: str
    values: Mapping[str, Any]
    places: Mapping[str, str]

    def where(self, variable: str) -> str:
        """Return the variable's name with its place, for a person."""
        place = self.places.get(variable)
        return f"variable {variable} ({place})" if place else f"variable {variable} of host {self.host}"


def check_mode(variables: HostVariables) -> list[Problem]:
    """Return what is wrong with rampart_mode."""
    wanted = f"one of {', '.join(MODES)}"
    if "rampart_mode" not in variables.values:
        return [
            Problem(
                f"host {variables.host} has no rampart_mode",
                "nothing",
                wanted,
                "Set rampart_mode for the host or one of its groups in the inventory.",
            )
        ]
    mode = variables.values["rampart_mode"]
    if isinstance(mode, str) and mode in MODES:
        return []
    return [Problem(variables.where("rampart_mode"), _short(mode), wanted, _hint(mode, MODES, "Correct the mode."))]


def check_roles(variables: HostVariables, roles: Any, specs: Mapping[str, RoleSpec]) -> list[Problem]:
    """Return what is wrong with the list of the host's roles."""
    where = variables.where("rampart_roles")
    if not isinstance(roles, Sequence) or isinstance(roles, str) or not roles:
        return [Problem(where, repr(roles), "a list of roles", f"Choose from {', '.join(specs)}.")]
    problems = [
        Problem(where, repr(role), f"one of {', '.join(specs)}", _hint(role, specs, "Remove the role."))
        for role in roles
        if not isinstance(role, str) or role not in specs
    ]
    twice = sorted({str(role) for role in roles if list(roles).count(role) > 1})
    return problems + [Problem(where, f"{role!r} twice", "each role once", "Remove one of them.") for role in twice]


def check_fail_on(variables: HostVariables, fail_on: Any) -> list[Problem]:
    """Return what is wrong with posture_fail_on."""
    if fail_on in SEVERITIES:
        return []
    todo = _hint(fail_on, SEVERITIES, "Correct the severity.")
    return [Problem(variables.where("posture_fail_on"), repr(fail_on), f"one of {', '.join(SEVERITIES)}", todo)]


def role_variables(variables: HostVariables, specs: Mapping[str, RoleSpec]) -> dict[str, RoleSpec]:
    """Return the variables that carry the prefix of a role with options, each with that role.

    The longest prefix wins. Private names and registers (`_x`, `__x`) are the roles' own and are left out.
    """
    prefixes = sorted((name for name, spec in specs.items() if spec.options), key=len, reverse=True)
    found: dict[str, RoleSpec] = {}
    for variable in variables.values:
        if variable.startswith(PRIVATE_PREFIX):
            continue
        role = next((name for name in prefixes if variable.startswith(f"{name}_")), None)
        if role:
            found[variable] = specs[role]
    return found


def check_unknown(variables: HostVariables, specs: Mapping[str, RoleSpec]) -> list[Problem]:
    """Return the variables that carry a role's prefix but that the role does not have."""
    return [
        Problem(
            variables.where(name),
            f"the value {_short(variables.values[name])}",
            f"a variable of role {spec.name}",
            _hint(name, spec.variables(), f"roles/{spec.name}/README.md lists the variables."),
        )
        for name, spec in sorted(role_variables(variables, specs).items())
        if spec.option(name) is None
    ]


def check_types(variables: HostVariables, specs: Mapping[str, RoleSpec], violates: TypeCheck) -> list[Problem]:
    """Return the variables whose value is not of the type that the role's argument_specs ask for."""
    problems = []
    for name, spec in sorted(role_variables(variables, specs).items()):
        option = spec.option(name)
        if option is None or variables.values[name] is UNRESOLVED:
            continue
        reason = violates(name, variables.values[name], option)
        if reason:
            found = f"{_short(variables.values[name])} ({reason})"
            todo = f"Correct the value; roles/{spec.name}/README.md describes it."
            problems.append(Problem(variables.where(name), found, _type_of(option), todo))
    return problems


def _type_of(option: Mapping[str, Any]) -> str:
    kind = str(option.get("type", "str"))
    if option.get("elements"):
        kind += f" of {option['elements']}"
    if option.get("choices"):
        kind += f", one of {', '.join(map(str, option['choices']))}"
    return kind


def _hint(name: Any, known: Collection[str], otherwise: str) -> str:
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}?" if near else otherwise


def _short(value: Any, limit: int = 120) -> str:
    text = "that needs facts of the host" if value is UNRESOLVED else repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
