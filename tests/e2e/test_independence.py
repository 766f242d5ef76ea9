# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The verdict comes from the host and never from what a role was told: with every variable of every role changed, a
hardened fleet gets the very same results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rampart.dev.catalogue import load_roles

from .fleet import CHECKOUT, Fleet


def other(option: dict[str, Any]) -> Any:
    """A value of the right type that is not the default."""
    default = option.get("default")
    if option.get("choices"):
        return next((choice for choice in option["choices"] if choice != default), default)
    kind = option.get("type", "str")
    if kind == "bool":
        return not default
    if kind in ("int", "float"):
        return (default or 0) + 7
    return {"list": [], "dict": {}}.get(kind, "something-else")


def mutated() -> dict[str, Any]:
    """Every variable of every role with another value than its default."""
    options = [(name, option) for role in load_roles(CHECKOUT) for name, option in role.options.items()]
    return {name: other(option) for name, option in options}


def verdicts(report: dict[str, Any]) -> dict[str, dict[str, tuple[str, str]]]:
    """State and expectation of every control of every host."""
    return {
        host["name"]: {result["id"]: (result["state"], result["expected"]) for result in host["results"]}
        for host in report["hosts"]
    }


def test_there_is_something_to_change() -> None:
    assert len(mutated()) > 80


@pytest.mark.lab
def test_no_variable_of_a_role_changes_a_verdict(fleet: Fleet, tmp_path: Path) -> None:
    variables = tmp_path / "variables.json"
    variables.write_text(json.dumps(mutated()))
    fleet.playbook("verify", report="as-it-is")
    fleet.playbook("verify", "-e", f"@{variables}", report="mutated")
    assert verdicts(fleet.report("mutated")) == verdicts(fleet.report("as-it-is"))
