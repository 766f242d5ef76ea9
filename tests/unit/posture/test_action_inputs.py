# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The actions that measure and judge look at no variable of a role; see also tests/e2e/test_independence.py."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from rampart.dev.catalogue import load_roles

ROOT = Path(__file__).parents[3]
OPTIONS = {name for role in load_roles(ROOT) for name in role.options}
FILES = [
    ROOT / "plugins/action/posture.py",
    ROOT / "plugins/action/posture_report.py",
    *sorted((ROOT / "plugins/plugin_utils/posture").glob("*.py")),
    *sorted((ROOT / "plugins/module_utils/posture").rglob("*.py")),
    ROOT / "playbooks/tasks/measure.yml",
    ROOT / "playbooks/tasks/report.yml",
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_variable_of_a_role_is_named(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        constants = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
        assert not OPTIONS & {value for value in constants if isinstance(value, str)}
    else:
        assert not [name for name in OPTIONS if name in text]


def test_the_action_asks_for_these_variables_only() -> None:
    tree = ast.parse(FILES[0].read_text(encoding="utf-8"))
    asked = {
        node.args[1].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "_variable" and len(node.args) == 2
        and isinstance(node.args[1], ast.Constant)
    }  # fmt: skip
    assert asked <= {"rampart_roles", "rampart_mode", "posture_catalogue_paths"}
