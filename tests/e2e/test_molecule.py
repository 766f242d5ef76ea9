# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Every molecule scenario, each on a lab of its own; a new scenario is picked up by its folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from .fleet import BIN, CHECKOUT
from .scenario import lab_of

SCENARIOS = sorted(path.parent.name for path in (CHECKOUT / "molecule").glob("*/molecule.yml"))

#: Scenarios of roles that a site adds to the usual ones.
BY_CHOICE = {"antivirus", "file_integrity", "hardware", "intrusion_detection"}


def run(scenario: str, log: Path) -> None:
    """molecule test of one scenario; its lab is removed whatever happens."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_"))}
    environment |= {"RAMPART_MOLECULE_DRIVER": "nspawn", "NO_COLOR": "1", "PATH": f"{BIN}:{os.environ['PATH']}"}
    try:
        with log.open("w", encoding="utf-8") as output:
            done = subprocess.run(
                [BIN / "molecule", "test", "--scenario-name", scenario],
                cwd=CHECKOUT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=1500,
                check=False,
            )
        assert done.returncode == 0, log.read_text(encoding="utf-8")[-8000:]
    finally:
        subprocess.run([BIN / "rampart", "lab", "down", "--name", lab_of(scenario)], check=True, timeout=120)


@pytest.mark.lab
@pytest.mark.parametrize(
    "scenario",
    [pytest.param(name, marks=[pytest.mark.choice] if name in BY_CHOICE else []) for name in SCENARIOS],
)
def test_scenario_on_containers(scenario: str, tmp_path: Path) -> None:
    run(scenario, tmp_path / "molecule.log")
