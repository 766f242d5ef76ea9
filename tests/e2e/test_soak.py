# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Rounds of hardening, measuring and taking down: nothing drifts and nothing stays. `SOAK_ROUNDS` says how many."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from rampart.lab.state import Paths
from tests.lab.traces import of_lab

from .fleet import BIN, Fleet

pytestmark = [pytest.mark.lab, pytest.mark.soak]
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "20"))


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_a_round(tmp_path: Path, number: int) -> None:
    lab, command = f"soak-{os.getpid()}", [BIN / "rampart", "lab"]
    try:
        up = [*command, "up", "--name", lab, "--driver", "nspawn", "--topology", "single"]
        subprocess.run(up, check=True, timeout=900, capture_output=True)
        path = subprocess.run(
            [*command, "inventory", "--name", lab, "--path"], check=True, capture_output=True, text=True
        )
        folder = Paths.from_environment().lab(lab).path
        namespaces = of_lab(folder, lab).namespaces
        fleet = Fleet(lab, Path(path.stdout.strip()), tmp_path)
        verdicts = [fleet.playbook("site", report=report).returncode for report in ("first", "second")]
        changes = fleet.report("second")["changes"]
    finally:
        subprocess.run([*command, "down", "--name", lab], check=True, timeout=120, capture_output=True)
    assert verdicts == [0, 0], changes
    assert namespaces, "a running lab must be visible, or its absence says nothing"
    assert not of_lab(folder, lab, namespaces)
