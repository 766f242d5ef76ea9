# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What `make test` runs one after the other and beside each other, and what it says of it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "stages.py"


@pytest.fixture
def stages(tmp_path: Path) -> ModuleType:
    """The script as a module whose output goes to a folder of the test."""
    spec = importlib.util.spec_from_file_location("stages", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up.
    sys.modules["stages"] = module
    spec.loader.exec_module(module)
    module.ROOT = module.OUTPUT = tmp_path
    return module


def meeting(mine: str, other: str) -> tuple[str, ...]:
    """A command that ends well only when another one runs at the same time."""
    return ("sh", "-c", f"touch {mine}; for i in $(seq 100); do [ -e {other} ] && exit 0; sleep 0.1; done; exit 1")


def test_a_stage_beside_the_others_runs_while_they_do(stages: ModuleType) -> None:
    first = stages.Stage("first", (meeting("one", "two"),))
    machine = stages.Stage("machine", (meeting("two", "one"),), beside=True)
    last = stages.Stage("last", (("test", "-e", "machine.log"),))
    results = stages.run([first, machine, last])
    assert {each.name: each.state for each in results} == dict.fromkeys(("first", "machine", "last"), "passed")


def test_a_failure_beside_the_others_is_counted_and_its_output_shown(
    stages: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = stages.Stage("machine", (("sh", "-c", "echo it burns; exit 3"),), beside=True)
    other = stages.Stage("other", (("true",),))
    monkeypatch.setattr(stages, "stages", lambda: [failing, other])
    assert stages.main([]) == 1
    said = capsys.readouterr().out
    assert "it burns" in said
    assert "failed: machine: sh -c echo it burns; exit 3 ended with 3" in said
    assert "1 passed, 1 failed in" in said


def test_a_stage_that_is_asked_for_alone_writes_to_the_terminal(stages: ModuleType, tmp_path: Path) -> None:
    stages.run([stages.Stage("machine", (("true",),), beside=True)])
    assert not list(tmp_path.glob("*.log"))


def test_the_end_names_the_causes_of_failures(stages: ModuleType, tmp_path: Path) -> None:
    test = tmp_path / "test_x.py"
    test.write_text(
        "import pytest\n"
        "@pytest.fixture\ndef fleet(): pytest.fail('RMP-LOG-021 fails', pytrace=False)\n"
        "@pytest.mark.parametrize('n', range(3))\ndef test_a(fleet, n): pass\n"
        "@pytest.mark.parametrize('n', range(9))\ndef test_b(n): assert n == 100\n"
    )
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={tmp_path / 'x.xml'}", "x")
    result = stages.run_stage(stages.Stage("lab", ((*command[:-1], str(test)),)))
    said = stages.summary([result], 1.0)
    assert "and 2 more: failed on setup with" in said
    assert "RMP-LOG-021 fails" in said
    assert "assert 0 == 100" in said
    assert "and 4 other causes" in said
