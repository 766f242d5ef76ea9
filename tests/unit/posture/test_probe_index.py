# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What is sent to a host follows static imports: a probe file that the index does not import would not exist there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture import probes, registry
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host

FOLDER = Path(probes.__file__).parent


def test_every_probe_file_is_imported_by_the_index() -> None:
    imported = {
        alias.name
        for node in ast.walk(ast.parse((FOLDER / "__init__.py").read_text()))
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.endswith(".probes")
        for alias in node.names
    }
    assert {path.stem for path in FOLDER.glob("[a-z]*.py")} == imported


def test_every_probe_kind_says_what_it_returns_and_where_from() -> None:
    for kind in probes.kinds().values():
        assert kind.measure.__doc__, kind.name
        assert kind.source, kind.name


def test_a_kind_declared_twice_is_refused() -> None:
    import types

    @registry.probe("twice")
    def first(host: Host, params: registry.Params) -> int:
        return 1

    @registry.probe("twice")
    def second(host: Host, params: registry.Params) -> int:
        return 2

    modules = [types.ModuleType("a"), types.ModuleType("b")]
    modules[0].__dict__["first"] = first
    modules[1].__dict__["second"] = second
    with pytest.raises(ValueError, match="twice"):
        registry.index(modules)


def test_parameter_names_are_checked() -> None:
    kind = probes.kinds()["sysctl"]
    assert kind.problems({"key": "a"}) == []
    assert "needs parameter 'key'" in kind.problems({})[0]
    assert "no parameter 'name'" in kind.problems({"key": "a", "name": "b"})[0]
