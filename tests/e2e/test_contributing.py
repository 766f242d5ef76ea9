# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The worked example of docs/contributing.md, followed to the letter in a copy of the checkout and on a lab host."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from .fleet import BIN, CHECKOUT, Fleet, ansible, said_of_failure

GUIDE = CHECKOUT / "docs/contributing.md"
FILES = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', GUIDE.read_text(), re.MULTILINE | re.DOTALL))
INDEX = Path("plugins/module_utils/posture/probes/__init__.py")
CONTROL = "RMP-SHELL-001"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with the files of the guide in it, and the one line in the index of probes."""
    copy = tmp_path_factory.mktemp("contributing") / "rampart"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=CHECKOUT, check=True, capture_output=True
    ).stdout
    copy.mkdir()
    packed = subprocess.run(
        ["tar", "--null", "-T", "-", "-cf", "-"], cwd=CHECKOUT, input=listed, check=True, capture_output=True
    ).stdout
    subprocess.run(["tar", "-xf", "-", "-C", str(copy)], input=packed, check=True)
    for name, content in FILES.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(content)
    index = copy / INDEX
    text = index.read_text()
    assert text.count("probes import (\n") == 1
    index.write_text(text.replace("probes import (\n", "probes import (\n    login_environment,\n"))
    return copy


def test_the_guide_has_every_part_of_a_capability() -> None:
    for part in ("argument_specs.yml", "tasks/main.yml", "probes/", "controls/", "tests/unit/", "tests/e2e/mutations/"):
        assert any(part in name for name in FILES), f"the guide shows no {part}"


def test_the_examples_own_unit_tests_pass(checkout: Path) -> None:
    tests = ["tests/unit/posture/test_probe_login_environment.py", "tests/unit/posture/test_catalogue.py"]
    done = subprocess.run(
        [BIN / "python", "-m", "pytest", *tests], cwd=checkout, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, said_of_failure(done)


@pytest.mark.lab
def test_the_example_enforces_and_its_control_can_fail(bare_fleet: Fleet, checkout: Path, tmp_path: Path) -> None:
    play = tmp_path / "example.yml"
    play.write_text(yaml.safe_dump([{"hosts": "host1", "become": True, "roles": ["rampart.fleet.shell_timeout"]}]))
    measured = {"checkout": checkout, "roles": "shell_timeout"}
    assert bare_fleet.states("host1", **measured) == {CONTROL: "fail"}
    for changes in (1, 0):
        done = ansible("ansible-playbook", str(play), "-i", str(bare_fleet.inventory), checkout=checkout)
        assert re.search(rf"host1 .*changed={changes} .*failed=0", done.stdout), done.stdout
    assert bare_fleet.states("host1", **measured) == {CONTROL: "pass"}
    for mutation in yaml.safe_load(FILES["tests/e2e/mutations/shell_timeout.yml"]):
        bare_fleet.shell("host1", mutation["break"])
        assert bare_fleet.states("host1", **measured) == {CONTROL: "fail"}
        bare_fleet.shell("host1", mutation["heal"])
