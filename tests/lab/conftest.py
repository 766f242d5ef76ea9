# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Labs of their own for these tests: a state folder of the test session, the user's image cache."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rampart.lab import Lab
from rampart.lab.state import Paths


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    """A short path: control sockets live in it."""
    folder = Path(tempfile.mkdtemp(prefix="rlab-", dir="/var/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def make_lab(state: Path) -> Iterator[Callable[[str], Lab]]:
    """Labs by name; all of them are down when the module ends."""
    if os.geteuid() != 0:
        pytest.skip("containers need root")
    paths = Paths(state, Paths.from_environment().cache)
    yield lambda name: Lab(name, paths)
    for name in paths.lab_names():
        Lab(name, paths).down()
