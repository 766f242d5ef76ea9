# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The role hardware on a virtual machine: arrays of its own kernel, what that kernel knows, and what a guest lacks.

RAMPART_E2E_KERNEL_LAB names a running machine of your own; it gets mdadm, and is left running.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from . import kernel_machine
from .agent import Agent, Measurer
from .fleet import Fleet
from .kernel_machine import HOST, Phases
from .mutation import FOLDER, Bench, Mutation, load

pytestmark = [pytest.mark.choice, pytest.mark.lab]

ROLE = "hardware"
MUTATIONS = load(FOLDER / "hardware_kernel")
_OWN_LAB = os.environ.get("RAMPART_E2E_KERNEL_LAB")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The machine with what makes arrays; a second run of the role changes nothing."""
    folder = tmp_path_factory.mktemp("kernel-hardware")
    if _OWN_LAB:
        yield prepared(kernel_machine.fleet(_OWN_LAB, folder))
        return
    with kernel_machine.running(folder, Phases()) as machine:
        yield prepared(machine)


def prepared(machine: Fleet) -> Fleet:
    machine.shell(HOST, "apt-get update -q; DEBIAN_FRONTEND=noninteractive apt-get install -qy mdadm; modprobe loop")
    kernel_machine.harden(machine, (ROLE,))
    assert kernel_machine.harden(machine, (ROLE,)) == 0
    return machine


@pytest.fixture(scope="module")
def bench(machine: Fleet) -> Iterator[Bench]:
    """The machine before anything is broken."""
    with Agent(machine.lab, HOST) as agent:
        measurer = Measurer(agent, machine.modes()[HOST], roles=(ROLE,))
        yield Bench(measurer, measurer.states(), lambda: machine.states(HOST, roles=ROLE), lambda mutation: False)


def test_what_the_machine_lacks_is_told(bench: Bench) -> None:
    found = bench.healthy
    assert found["RMP-HW-030"] == "fail", "the machine has no TPM"
    assert found["RMP-HW-004"] == "fail", "the machine has no GPU"
    lacking = {name: found[name] for name in ("RMP-HW-011", "RMP-HW-013", "RMP-HW-017", "RMP-HW-019", "RMP-HW-040")}
    assert set(lacking.values()) == {"not_applicable"}, lacking
    assert not {name: state for name, state in found.items() if state in ("error", "unknown")}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.name)
def test_a_broken_machine_is_seen(bench: Bench, mutation: Mutation) -> None:
    outcome = bench.try_out(mutation)
    assert not outcome.problems, "\n".join(outcome.problems)
