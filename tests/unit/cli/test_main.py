# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The entry point: every command is listed without importing it, and each one loads."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from rampart.cli import COMMANDS, app


def test_help_lists_every_command_without_importing_any() -> None:
    code = (
        "import sys\n"
        "from rampart.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: print('LOADED', sorted(n for n in sys.modules if n[:7] == 'rampart'), end.code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, timeout=30, check=True
    )
    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    assert "LOADED ['rampart', 'rampart.cli'] 0" in done.stdout


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_loads_and_explains_itself(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output


def test_an_unknown_command_is_a_usage_error() -> None:
    assert CliRunner().invoke(app, ["harden"]).exit_code == 2


def test_a_command_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rampart.lab.cli", None)
    result = CliRunner().invoke(app, ["lab", "status"])
    assert result.exit_code == 2
    assert "rampart.lab.cli" in result.output
