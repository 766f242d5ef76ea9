# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What only a kernel of its own shows, on one virtual machine: hardened, booted again, and broken by hand.

The molecule scenario `kernel` brings the machine up, hardens it twice, and looks at it without the engine.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import kill_rate
from .agent import Agent, Measurer
from .fleet import BIN, CHECKOUT, Fleet
from .mutation import FOLDER, Bench, Mutation, area, first_of_each_family, load
from .scenario import lab_of

pytestmark = pytest.mark.qemu

HOST = "host1"
LAB = lab_of("kernel")
_BOOT_S = 300.0
MUTATIONS = load(FOLDER / "kernel")


def molecule(*arguments: str, log: Path) -> int:
    """Run molecule on the scenario with what it says appended to a file; its exit status."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "MOLECULE_"))}
    environment |= {"RAMPART_MOLECULE_DRIVER": "qemu", "NO_COLOR": "1", "PATH": f"{BIN}:{os.environ['PATH']}"}
    with log.open("a", encoding="utf-8") as output:
        return subprocess.run(
            [BIN / "molecule", *arguments, "--scenario-name", "kernel"],
            cwd=CHECKOUT, env=environment, stdout=output, stderr=subprocess.STDOUT, timeout=1500, check=False,
        ).returncode  # fmt: skip


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The machine of the scenario after its tests; it is removed whatever happens."""
    folder = tmp_path_factory.mktemp("kernel")
    log = folder / "molecule.log"
    try:
        # What an interrupted run left would count as created and hardened.
        assert molecule("destroy", log=log) == 0, log.read_text(encoding="utf-8")[-8000:]
        assert molecule("test", "--destroy", "never", log=log) == 0, log.read_text(encoding="utf-8")[-8000:]
        path = subprocess.run(
            [BIN / "rampart", "lab", "inventory", "--name", LAB, "--path"], check=True, capture_output=True, text=True
        )
        yield Fleet(LAB, Path(path.stdout.strip()), folder)
    finally:
        molecule("destroy", log=log)
        subprocess.run([BIN / "rampart", "lab", "down", "--name", LAB], check=True, timeout=120)


@pytest.fixture(scope="module")
def measurer(machine: Fleet) -> Iterator[Measurer]:
    """The machine once it has booted again, as a measurer sees it; what the boot took back is an error."""
    hardened = machine.states(HOST)
    _boot_again(machine)
    with Agent(machine.lab, HOST) as agent:
        found = Measurer(agent, machine.modes()[HOST])
        booted = found.states()
        lost = {name: state for name, state in booted.items() if hardened[name] == "pass" and state != "pass"}
        assert not lost, f"the boot took back what the hardening had reached: {lost}"
        yield found


@pytest.fixture(scope="module")
def healthy(measurer: Measurer) -> dict[str, str]:
    """The states of the hardened machine before anything is broken."""
    return measurer.states()


def test_what_waited_for_the_boot_is_there(healthy: dict[str, str]) -> None:
    assert healthy["RMP-MNT-003"] == "pass", "/tmp is no file system of its own without programs"


@pytest.fixture(scope="module")
def bench(machine: Fleet, measurer: Measurer, healthy: dict[str, str]) -> Bench:
    """A look at everything takes long on this machine: only the first mutation of a family gets one, the first of all
    by both ways of measuring, and the others a look at the families that they are about."""
    whole, first = first_of_each_family(MUTATIONS), MUTATIONS[0].name

    def scope(mutation: Mutation) -> frozenset[str] | None:
        families = {area(control) for control in (*mutation.controls, *mutation.also)}
        return None if mutation.name in whole else frozenset(name for name in healthy if area(name) in families)

    return Bench(measurer, healthy, lambda: machine.states(HOST), lambda mutation: mutation.name == first, scope)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[f"{each.file}: {each.name}" for each in MUTATIONS])
def test_a_broken_kernel_is_seen(bench: Bench, mutation: Mutation) -> None:
    outcome = bench.try_out(mutation)
    print(f"{outcome.seconds:.1f} s")
    assert not outcome.problems, f"{mutation.file}: {mutation.name!r}:\n" + "\n".join(outcome.problems)


def test_healing_leaves_the_kernel_as_it_was(measurer: Measurer, healthy: dict[str, str]) -> None:
    assert measurer.states() == healthy


def test_every_control_that_passes_is_broken_by_a_mutation(
    healthy: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    passing = {name for name, state in healthy.items() if state == "pass"}
    elsewhere = load(FOLDER)
    with capsys.disabled():
        print(f"\n{kill_rate.table(passing, MUTATIONS, elsewhere)}")
    lacking = kill_rate.unbroken(passing, [*MUTATIONS, *elsewhere]) - kill_rate.missing()
    assert not lacking, f"no mutation breaks {', '.join(sorted(lacking))}"


def _boot_again(machine: Fleet) -> None:
    boot = "cat /proc/sys/kernel/random/boot_id"
    before = machine.shell(HOST, boot)
    machine.shell(HOST, "systemctl reboot", check=False)
    end = time.monotonic() + _BOOT_S
    while machine.shell(HOST, boot, check=False) in ("", before):
        assert time.monotonic() < end, f"the machine did not answer within {_BOOT_S:.0f} s of its boot"
        time.sleep(2)
    machine.shell(HOST, "systemctl is-system-running --wait", check=False)
