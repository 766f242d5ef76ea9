# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Every control family can fail: the running host is broken by hand, and the verdict flips.

A mutation is `{name, controls: [id], break: shell, heal: shell, also: [id]}` in `mutations/*.yml`. `also` names
controls that see the same breakage from another side; nothing else may change.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from .fleet import Fleet

HOST = "gpu1"


@dataclass(frozen=True)
class Mutation:
    """One way to break a host, and the controls that must notice."""

    name: str
    controls: tuple[str, ...]
    broken_by: str
    healed_by: str
    also: tuple[str, ...]


def load(folder: Path) -> list[Mutation]:
    """Return the mutations of every file in the folder."""
    entries = [entry for path in sorted(folder.glob("*.yml")) for entry in yaml.safe_load(path.read_text())]
    return [
        Mutation(entry["name"], tuple(entry["controls"]), entry["break"], entry["heal"], tuple(entry.get("also", ())))
        for entry in entries
    ]


FOLDER = Path(__file__).parent / "mutations"
MUTATIONS = load(FOLDER)


@pytest.fixture(scope="module")
def healthy(fleet: Fleet) -> dict[str, str]:
    """The states of the hardened host before anything is broken."""
    return fleet.states(HOST)


@pytest.mark.lab
@pytest.mark.parametrize("mutation", MUTATIONS, ids=[mutation.name for mutation in MUTATIONS])
def test_a_broken_host_is_seen(fleet: Fleet, healthy: dict[str, str], mutation: Mutation) -> None:
    assert {healthy.get(control) for control in mutation.controls} == {"pass"}, (
        "the control must pass before the host is broken"
    )
    fleet.shell(HOST, mutation.broken_by)
    try:
        broken = fleet.states(HOST)
    finally:
        fleet.shell(HOST, mutation.healed_by)
    changed = {control for control, state in broken.items() if state != healthy[control]}
    assert {broken[control] for control in mutation.controls} == {"fail"}
    assert changed - set(mutation.also) == set(mutation.controls), (
        "the breakage changed controls that it has nothing to do with"
    )


@pytest.mark.lab
def test_healing_leaves_the_host_as_it_was(fleet: Fleet, healthy: dict[str, str]) -> None:
    assert fleet.states(HOST) == healthy


@pytest.mark.lab
def test_every_area_has_a_mutation(healthy: dict[str, str]) -> None:
    areas = {control.split("-")[1] for control, state in healthy.items() if state == "pass"}
    # What cannot be broken in a container is broken in the virtual machine of test_kernel.py.
    everywhere = [*MUTATIONS, *load(FOLDER / "kernel")]
    covered = {control.split("-")[1] for mutation in everywhere for control in (*mutation.controls, *mutation.also)}
    assert areas <= covered, f"no mutation breaks a control of {sorted(areas - covered)}"
