# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""One lab for all end-to-end tests of a session: four hosts, hardened once."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .fleet import BIN, Fleet


@pytest.fixture(scope="session")
def bare_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The hosts of the topology `demo`, as their images are."""
    lab = f"e2e-{os.getpid()}"
    try:
        up = [BIN / "rampart", "lab", "up", "--name", lab, "--driver", "nspawn", "--topology", "demo"]
        subprocess.run(up, check=True, timeout=900)
        path = subprocess.run(
            [BIN / "rampart", "lab", "inventory", "--name", lab, "--path"], check=True, capture_output=True, text=True
        )
        yield Fleet(lab, Path(path.stdout.strip()), tmp_path_factory.mktemp("reports"))
    finally:
        subprocess.run([BIN / "rampart", "lab", "down", "--name", lab], check=True, timeout=120)


@pytest.fixture(scope="session")
def fleet(bare_fleet: Fleet) -> Fleet:
    """The same hosts, hardened; the verdict of that run is in the report `first`."""
    done = bare_fleet.playbook("site", report="first")
    assert done.returncode == 0, f"site.yml failed:\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    return bare_fleet
