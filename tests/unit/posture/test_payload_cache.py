# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Payloads are lent to a run of the same code, and to no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rampart.fleet.plugins.plugin_utils.payload_cache import PayloadCache

NAME = "ansible_collections.rampart.fleet.plugins.modules.posture-ZIP_DEFLATED-none"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A collection of one module."""
    for path in ("plugins/modules/posture.py", "plugins/module_utils/posture/measure.py"):
        (tmp_path / "root" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / path).write_text("pass\n")
    return tmp_path / "root"


def run(tmp_path: Path, root: Path, name: str, builds: bool = False) -> Path:
    """A run with a folder of its own, in which Ansible may build; return that folder."""
    built = tmp_path / name
    cache = PayloadCache(tmp_path / "cache", root, built)
    cache.lend()
    if builds:
        built.mkdir(exist_ok=True)
        for each in (NAME, f"{NAME}.lock", "ansible.modules.setup-ZIP_DEFLATED-none"):
            (built / each).write_text(name)
        cache.keep()
    return built


def test_a_second_run_finds_what_the_first_built_of_ours(tmp_path: Path, root: Path) -> None:
    assert not run(tmp_path, root, "first", builds=True).joinpath("never").exists()
    second = run(tmp_path, root, "second")
    assert [(path.name, path.read_text()) for path in second.iterdir()] == [(NAME, "first")]


@pytest.mark.parametrize(
    "path", ["plugins/modules/posture.py", "plugins/module_utils/posture/measure.py", "plugins/module_utils/new.py"]
)
def test_other_code_has_other_payloads(tmp_path: Path, root: Path, path: str) -> None:
    run(tmp_path, root, "first", builds=True)
    (root / path).write_text("raise SystemExit\n")
    assert not run(tmp_path, root, "second").exists()


def test_what_another_user_left_is_not_taken(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, root, "first", builds=True)
    monkeypatch.setattr("os.geteuid", lambda: 4242)
    assert not run(tmp_path, root, "second").exists()


def test_what_a_run_has_built_itself_stays(tmp_path: Path, root: Path) -> None:
    run(tmp_path, root, "first", builds=True)
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / NAME).write_text("own")
    assert (run(tmp_path, root, "second") / NAME).read_text() == "own"


def test_few_states_are_kept(tmp_path: Path, root: Path) -> None:
    for number in range(7):
        (root / "plugins/modules/posture.py").write_text(f"{number}\n")
        run(tmp_path, root, f"run{number}", builds=True)
    assert len(list((tmp_path / "cache").iterdir())) == 4
