# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Package lists and the hashes that name what is built from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rampart.lab import aptrepo, images
from rampart.lab.driver import Recipe
from rampart.lab.errors import LabError


def test_lists_of_all_files_and_of_the_release_come_together(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("packages: [auditd, acl]\npackages_13: [new]\n", encoding="utf-8")
    (tmp_path / "b.yml").write_text("packages: [acl]\npackages_12: [old]\n", encoding="utf-8")
    assert aptrepo.packages("12", tmp_path) == ["acl", "auditd", "old"]
    assert aptrepo.packages("13", tmp_path) == ["acl", "auditd", "new"]


@pytest.mark.parametrize(
    "text", ["packages: auditd\n", "packages: ['a b']\n", "package: [acl]\n", "- acl\n", "packages: [1]"]
)
def test_a_wrong_list_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "wrong.yml").write_text(text, encoding="utf-8")
    with pytest.raises(LabError, match=r"wrong.yml.*wanted a"):
        aptrepo.packages("12", tmp_path)


def test_the_shipped_lists_are_well_formed() -> None:
    for release in ("12", "13"):
        assert "auditd" in aptrepo.packages(release)


def test_each_part_of_a_recipe_changes_its_hash() -> None:
    recipe = Recipe("nspawn", "12", 1)
    others = [
        replace(recipe, driver="qemu"),
        replace(recipe, release="13"),
        replace(recipe, version=2),
        replace(recipe, packages=("acl",)),
        replace(recipe, hooks=("true",)),
        replace(recipe, output="tar"),
    ]
    hashes = {images.recipe_hash(item) for item in (recipe, *others)}
    assert len(hashes) == 7
    assert images.recipe_hash(recipe) == images.recipe_hash(Recipe("nspawn", "12", 1))
