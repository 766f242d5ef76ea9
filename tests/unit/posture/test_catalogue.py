# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The catalogue of this checkout is valid, and a control that is not is refused by name."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rampart.fleet.plugins.module_utils.posture.ops import operator_names
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture import catalogue
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.catalogue import CatalogueError, Source

ROOT = Path(__file__).parents[3]

GOOD: dict[str, Any] = {
    "id": "RMP-TST-001",
    "title": "A thing is so",
    "severity": "high",
    "rationale": "Because.",
    "probes": [{"id": "key", "kind": "sysctl", "key": "kernel.kptr_restrict"}],
    "expect": {"all": [{"obs": "key", "op": "ge", "value": 1}]},
    "remedy": "role rampart.fleet.x, variable x_y",
}

LEAST = {"type": "int", "default": 1, "min": 1, "meaning": "least value"}
AT_LEAST = {"all": [{"obs": "key", "op": "ge", "value": {"param": "least"}}]}


def write(folder: Path, *controls: Any, role: str = "tst", name: str = "tst.yml") -> Source:
    path = folder / role / "controls" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(list(controls)))
    return Source(role, path)


def changed(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(GOOD), **changes}


def test_every_control_of_the_roles_is_valid() -> None:
    files = catalogue.sources(ROOT)
    loaded = catalogue.load(files)
    assert len(loaded.entries) == sum(len(yaml.safe_load(file.path.read_text())) for file in files)


def test_the_schema_knows_exactly_the_operators_that_exist() -> None:
    import json

    from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.controls import SCHEMA

    assert set(json.loads(SCHEMA.read_text())["$defs"]["condition"]["properties"]["op"]["enum"]) == operator_names()


@pytest.mark.parametrize(
    ("control", "said"),
    [
        (changed(severity="grave"), "'grave' is not one of"),
        (changed(id="SSH-1"), "does not match"),
        (changed(command="id"), "'command' was unexpected"),
        (changed(expect={"all": [{"obs": "other", "op": "ge", "value": 1}]}), "observation 'other'"),
        (changed(expect={"all": [{"obs": "key", "op": "greater", "value": 1}]}), "'greater' is not one of"),
        (changed(expect={"all": [{"obs": "key", "op": "regex_full", "value": "("}]}), "no regular expression"),
        (changed(expect={"all": [{"obs": "key", "op": "eq"}]}), "'value' is a required property"),
        (changed(probes=[{"id": "key", "kind": "telepathy"}]), "probe kind 'telepathy' is not known"),
        (changed(probes=[{"id": "key", "kind": "sysctl", "name": "x"}]), "needs parameter 'key'"),
        (changed(probes=[*GOOD["probes"], {"id": "x", "kind": "sysctl", "key": "a"}]), "never looked at"),
        (changed(applies={"virt": ["vm"]}), "RMP-TST-001"),
        (changed(expect={"all": [{"obs": "key", "op": "ge", "value": {"param": "least"}}]}), "'least' is not declared"),
        (changed(params={"least": LEAST}), "declared and never looked at"),
        (changed(params={"least": {**LEAST, "default": "1"}}, expect=AT_LEAST), "default of parameter 'least'"),
        (changed(params={"least": {**LEAST, "default": 0}}, expect=AT_LEAST), "wanted 1 or more"),
        (changed(persist={"all": [{"obs": "boot", "op": "eq", "value": 1}]}), "observation 'boot'"),
        (changed(manual=True), "should not be valid under"),
        (changed(probes=[{"id": "key", "kind": "sysctl", "key": "a", "vantage": "external"}]), "is not known"),
        (changed(variants=[{"when": {"modes": ["idle"]}, "expect": GOOD["expect"], "because": "no-such"}]), "no-such"),
    ],
)
def test_a_malformed_control_is_refused_with_file_and_reason(tmp_path: Path, control: Any, said: str) -> None:
    source = write(tmp_path, control)
    with pytest.raises(CatalogueError) as refused:
        catalogue.load([source])
    assert said in str(refused.value)
    assert str(source.path) in str(refused.value)


def test_an_id_used_twice_is_refused_with_both_files(tmp_path: Path) -> None:
    files = [write(tmp_path, GOOD, role="a"), write(tmp_path, GOOD, role="b")]
    with pytest.raises(CatalogueError) as refused:
        catalogue.load(files)
    assert all(str(file.path) in str(refused.value) for file in files)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    files = [write(tmp_path, changed(severity="x"), role="a"), write(tmp_path, changed(title=""), role="b")]
    with pytest.raises(CatalogueError) as refused:
        catalogue.load(files)
    assert all(str(file.path) in str(refused.value) for file in files)


def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path, GOOD)
    source.path.write_text("- {id: [")
    with pytest.raises(CatalogueError, match="no YAML"):
        catalogue.load([source])


def test_the_cache_gives_the_same_catalogue_and_a_changed_file_is_seen(tmp_path: Path) -> None:
    source = write(tmp_path, GOOD)
    cache = tmp_path / "cache"
    first = catalogue.load([source], cache)
    assert len(list(cache.glob("*.json"))) == 1
    assert catalogue.load([source], cache) == first
    write(tmp_path, changed(severity="low"))
    assert catalogue.load([source], cache).sha256 != first.sha256
    write(tmp_path, changed(severity="grave"))
    with pytest.raises(CatalogueError):
        catalogue.load([source], cache)


def test_a_cache_that_cannot_be_used_costs_nothing_but_time(tmp_path: Path) -> None:
    source = write(tmp_path, GOOD)
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert catalogue.load([source], blocked / "cache").entries[0].control == GOOD
    cache = tmp_path / "cache"
    catalogue.load([source], cache)
    next(cache.glob("*.json")).write_text("{half")
    assert catalogue.load([source], cache).entries[0].control == GOOD


def test_selection_by_role_id_and_area(tmp_path: Path) -> None:
    loaded = catalogue.load([write(tmp_path, GOOD, role="a"), write(tmp_path, changed(id="RMP-OTH-002"), role="b")])

    def ids(**selection: Any) -> list[str]:
        return [entry.control["id"] for entry in loaded.select(["a", "b"], **selection)]

    assert [entry.role for entry in loaded.select(["a"])] == ["a"]
    assert ids(ids=["RMP-OTH-002"]) == ["RMP-OTH-002"]
    assert ids(areas=["TST"]) == ["RMP-TST-001"]
    with pytest.raises(CatalogueError, match="no area XYZ"):
        ids(areas=["XYZ"])


def test_a_folder_of_further_controls_must_exist(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="posture_catalogue_paths"):
        catalogue.sources(tmp_path, [tmp_path / "none"])
