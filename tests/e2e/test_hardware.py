# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The role hardware on a container: it changes nothing, judges nothing that belongs to the machine, and sees what does
not. What a container cannot show is broken over a recorded machine in `tests/unit/hardware`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .agent import Agent, Measurer
from .conftest import running_lab
from .fleet import Fleet, said_of_failure
from .mutation import FOLDER, Bench, Mutation, disagreements, load

pytestmark = [pytest.mark.choice, pytest.mark.lab]

HOST, ROLE = "host1", "hardware"
MUTATIONS = load(FOLDER / "hardware")
#: Units by the names that the makers give them, with nothing behind: the controls ask whether one is there.
_STAND_INS = ("falco.service", "ds_agent.service")
_UNIT = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A host with an intrusion detection and an antivirus in name."""
    with running_lab("hardware", "single", tmp_path_factory.mktemp("hardware")) as fleet:
        for name in _STAND_INS:
            fleet.shell(HOST, f"printf '{_UNIT}' > /etc/systemd/system/{name}; systemctl enable --quiet --now {name}")
        yield fleet


def test_the_role_changes_nothing_unless_told_to(host: Fleet) -> None:
    done = host.playbook("harden", "-e", f"{{rampart_roles: [{ROLE}]}}")
    assert done.returncode == 0, said_of_failure(done)
    assert "changed=0" in done.stdout.replace(" ", "")


@pytest.fixture(scope="module")
def bench(host: Fleet) -> Iterator[Bench]:
    """The host, seen healthy by both ways of measuring."""
    with Agent(host.lab, HOST) as agent:
        measurer = Measurer(agent, host.modes()[HOST], roles=(ROLE,))
        healthy = measurer.states()
        theirs = host.states(HOST, roles=ROLE)
        assert not disagreements(healthy, theirs)
        yield Bench(measurer, healthy, lambda: host.states(HOST, roles=ROLE), lambda mutation: False)


def test_a_container_is_not_judged_by_the_hardware_of_its_machine(bench: Bench) -> None:
    judged = {name: state for name, state in bench.healthy.items() if state != "not_applicable"}
    assert judged == dict.fromkeys(("RMP-HW-009", "RMP-HW-010"), "pass")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.name)
def test_a_broken_host_is_seen(bench: Bench, mutation: Mutation) -> None:
    outcome = bench.try_out(mutation)
    assert not outcome.problems, "\n".join(outcome.problems)
