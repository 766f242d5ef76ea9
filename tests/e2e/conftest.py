# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The labs of the end-to-end tests: four hosts, hardened once a session, and one that is left as its image is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .fleet import BIN, Fleet, said_of_failure

# For those who write mutations: RAMPART_E2E_LAB names a hardened lab of their own, which is used and left as it is.
_OWN_LAB = os.environ.get("RAMPART_E2E_LAB")


#: Files whose tests want the fleet as the hardening left it, and those that break it: what a person would notice of a
#: healed host is what the controls measure, and a second run of the roles notices more.
_FIRST, _LAST = ("test_site", "test_awx"), ("test_sabotage", "test_mutations")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests that want whole hosts first, and those that break them last."""

    def turn(item: pytest.Item) -> int:
        name = item.path.stem
        return 0 if name in _FIRST else 2 if name in _LAST else 1

    items.sort(key=turn)


@contextmanager
def running_lab(name: str, topology: str, reports: Path) -> Iterator[Fleet]:
    """A lab of nspawn hosts, taken down at the end whatever happened."""
    lab, command = f"e2e-{name}-{os.getpid()}", [BIN / "rampart", "lab"]
    try:
        up = [*command, "up", "--name", lab, "--driver", "nspawn", "--topology", topology]
        subprocess.run(up, check=True, timeout=900)
        yield Fleet(lab, inventory_of(lab), reports)
    finally:
        subprocess.run([*command, "down", "--name", lab], check=True, timeout=120)


def inventory_of(lab: str) -> Path:
    """The inventory of a running lab."""
    command = [BIN / "rampart", "lab", "inventory", "--name", lab, "--path"]
    return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


@pytest.fixture(scope="module")
def bare_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One host, `host1`, that nothing has hardened."""
    with running_lab("bare", "single", tmp_path_factory.mktemp("bare")) as fleet:
        yield fleet


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The hosts of the topology `demo`, hardened; the verdict of that run is in the report `first`."""
    if _OWN_LAB:
        yield Fleet(_OWN_LAB, inventory_of(_OWN_LAB), tmp_path_factory.mktemp("reports"))
        return
    with running_lab("fleet", "demo", tmp_path_factory.mktemp("reports")) as fleet:
        done = fleet.playbook("site", report="first")
        if done.returncode != 0:
            pytest.fail(f"site.yml {said_of_failure(done)}", pytrace=False)
        yield fleet
