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

from .fleet import BIN, CHECKOUT, Fleet
from .test_mutations import Mutation, load

pytestmark = pytest.mark.qemu

HOST = "host1"
LAB = "molecule-kernel"
_BOOT_S = 300.0
MUTATIONS = load(Path(__file__).parent / "mutations" / "kernel")
BROKEN = ",".join(sorted({control for each in MUTATIONS for control in (*each.controls, *each.also)}))


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
def healthy(machine: Fleet) -> dict[str, str]:
    """The states of the hardened machine once it has booted again, before anything is broken."""
    hardened = machine.states(HOST)
    _boot_again(machine)
    booted = machine.states(HOST)
    lost = {control: state for control, state in booted.items() if hardened[control] == "pass" and state != "pass"}
    assert not lost, f"the boot took back what the hardening had reached: {lost}"
    return {control: booted[control] for control in BROKEN.split(",")}


def test_what_waited_for_the_boot_is_there(healthy: dict[str, str]) -> None:
    assert healthy["RMP-MNT-003"] == "pass", "/tmp is no file system of its own without programs"


@pytest.fixture(scope="module")
def broken(machine: Fleet, healthy: dict[str, str]) -> list[dict[str, str]]:
    """The states with one half of the mutations in force, and with the other: a measurement costs too much for each."""
    return [_measured_broken(machine, MUTATIONS[half::2]) for half in (0, 1)]


@pytest.mark.parametrize("index", range(len(MUTATIONS)), ids=[mutation.name for mutation in MUTATIONS])
def test_a_broken_kernel_is_seen(healthy: dict[str, str], broken: list[dict[str, str]], index: int) -> None:
    mutation, half = MUTATIONS[index], index % 2
    controls = set(mutation.controls)
    assert {healthy[control] for control in controls} == {"pass"}, "the control must pass before the host is broken"
    assert {broken[half][control] for control in controls} == {"fail"}
    elsewhere = {control for each in MUTATIONS[1 - half :: 2] for control in (*each.controls, *each.also)}
    assert {broken[1 - half][control] for control in controls - elsewhere} <= {"pass"}, (
        "the control fails without the breakage"
    )


@pytest.mark.parametrize("half", [0, 1])
def test_nothing_but_what_was_broken_changes(healthy: dict[str, str], broken: list[dict[str, str]], half: int) -> None:
    expected = {control for each in MUTATIONS[half::2] for control in (*each.controls, *each.also)}
    assert {control for control, state in broken[half].items() if state != healthy[control]} <= expected


def test_healing_leaves_the_kernel_as_it_was(machine: Fleet, healthy: dict[str, str]) -> None:
    # A count of lost records starts anew with a boot only.
    healed = machine.states(HOST, ids=BROKEN) | {"RMP-AUD-005": healthy["RMP-AUD-005"]}
    assert healed == healthy


def _measured_broken(machine: Fleet, mutations: list[Mutation]) -> dict[str, str]:
    machine.shell(HOST, "\n".join(mutation.broken_by for mutation in mutations))
    try:
        return machine.states(HOST, ids=BROKEN)
    finally:
        machine.shell(HOST, "\n".join(mutation.healed_by for mutation in reversed(mutations)))


def _boot_again(machine: Fleet) -> None:
    boot = "cat /proc/sys/kernel/random/boot_id"
    before = machine.shell(HOST, boot)
    machine.shell(HOST, "systemctl reboot", check=False)
    end = time.monotonic() + _BOOT_S
    while machine.shell(HOST, boot, check=False) in ("", before):
        assert time.monotonic() < end, f"the machine did not answer within {_BOOT_S:.0f} s of its boot"
        time.sleep(2)
    machine.shell(HOST, "systemctl is-system-running --wait", check=False)
