# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What roles accept is read from their argument_specs, layers included."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rampart.fleet.plugins.plugin_utils.role_specs import RoleSpec, collection_root, load_role_specs


def make_role(root: Path, name: str, specs: str | None) -> None:
    (root / "roles" / name / "tasks").mkdir(parents=True)
    if specs is not None:
        (root / "roles" / name / "meta").mkdir()
        (root / "roles" / name / "meta" / "argument_specs.yml").write_text(specs, encoding="utf-8")


def test_options_of_all_entry_points_are_accepted(tmp_path: Path) -> None:
    make_role(tmp_path, "a", "argument_specs: {main: {options: {a_x: {type: int}}}, other: {options: {a_y: {}}}}")
    make_role(tmp_path, "b", None)
    specs = load_role_specs(tmp_path)
    assert specs["a"].option("a_x") == {"type": "int"}
    assert specs["a"].option("a_y") == {}
    assert specs["b"].variables() == {}


def test_a_default_layer_brings_the_other_layers() -> None:
    spec = RoleSpec("a", {"a_x_default": {"type": "dict"}})
    assert set(spec.variables()) == {"a_x_default", "a_x", "a_x_mode", "a_x_group", "a_x_host"}


@pytest.mark.parametrize("text", ["[]", "argument_specs: {main: 3}", "argument_specs: {", "other: {}"])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    make_role(tmp_path, "a", text)
    with pytest.raises(ValueError, match=r"argument_specs\.yml"):
        load_role_specs(tmp_path)


def test_the_collection_has_the_role_of_this_capability() -> None:
    assert load_role_specs(collection_root())["audit_logging"].option("audit_logging_rules_mode") is not None
