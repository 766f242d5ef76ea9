# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Every control can fail: the running host is broken by hand, the verdict flips, and nothing else changes.

`mutation.py` has the format and the course of a mutation. Two hosts are broken side by side. The test that counts
comes last: a control that passes on a host and that no mutation breaks is unproven.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture import vantage

from . import kill_rate
from .agent import Agent, Measurer, Outside
from .fleet import Fleet
from .mutation import FOLDER, Bench, Mutation, Outcome, disagreements, first_of_each_family, load

MUTATIONS = load(FOLDER)


def place(mutation: Mutation, modes: dict[str, str]) -> str:
    """The host to break: the one that is named, else always the same one of those in the mode."""
    if mutation.host in modes:
        return mutation.host
    fitting = sorted(host for host, mode in modes.items() if mode == mutation.mode)
    assert fitting, f"no host of the lab is in mode {mutation.mode}, which {mutation.name!r} wants"
    return fitting[zlib.crc32(mutation.name.encode()) % len(fitting)]


@pytest.fixture(scope="module")
def benches(fleet: Fleet, request: pytest.FixtureRequest) -> Iterator[dict[str, Bench]]:
    """The hosts that the selected mutations need, each seen healthy by both ways of measuring."""
    modes = fleet.modes()
    chosen = selected(request)
    whole = first_of_each_family(chosen)
    wanted = {place(mutation, modes) for mutation in chosen} or {place(MUTATIONS[0], modes)}
    with ExitStack() as stack:
        found = {}
        for host in sorted(wanted):
            agent = stack.enter_context(Agent(fleet.lab, host))
            measurer = Measurer(agent, modes[host], outside(fleet, host, stack))
            healthy = measurer.states(from_outside=True)
            assert not disagreements(healthy, fleet.states(host))
            found[host] = Bench(
                measurer, healthy, lambda host=host: fleet.states(host), lambda mutation: mutation.name in whole
            )
        yield found


def outside(fleet: Fleet, host: str, stack: ExitStack) -> Outside | None:
    """The host that looks at this one, over a connection of its own; none in a lab of one host."""
    addresses = fleet.addresses()
    others = vantage.points(host, sorted(addresses), sorted(addresses), fleet.modes())
    if not others:
        return None
    way = vantage.SshWay("ssh", host, None, None, ("-F", str(fleet.inventory.parent / "ssh_config")))
    target = {"address": addresses[host], "ssh_port": 22}
    return Outside(stack.enter_context(Agent(fleet.lab, others[0])), target, way)


@pytest.fixture(scope="module")
def outcomes(
    fleet: Fleet, benches: dict[str, Bench], request: pytest.FixtureRequest
) -> Iterator[dict[str, Future[Outcome]]]:
    """What each selected mutation comes to, by name; one thread a host works through them."""
    modes, futures = fleet.modes(), {}
    with ExitStack() as stack:
        threads = {host: stack.enter_context(ThreadPoolExecutor(1)) for host in benches}
        for mutation in selected(request):
            host = place(mutation, modes)
            futures[mutation.name] = threads[host].submit(benches[host].try_out, mutation)
        try:
            yield futures
        finally:
            for future in futures.values():
                future.cancel()


def selected(request: pytest.FixtureRequest) -> list[Mutation]:
    """The mutations of the tests that this session runs."""
    calls = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    return [params["mutation"] for params in calls if isinstance(params.get("mutation"), Mutation)]


def test_names_are_unique() -> None:
    names = [mutation.name for mutation in [*MUTATIONS, *load(FOLDER / "kernel")]]
    assert not {name for name in names if names.count(name) > 1}


@pytest.mark.lab
@pytest.mark.parametrize("mutation", MUTATIONS, ids=[f"{each.file}: {each.name}" for each in MUTATIONS])
def test_a_broken_host_is_seen(outcomes: dict[str, Future[Outcome]], fleet: Fleet, mutation: Mutation) -> None:
    outcome = outcomes[mutation.name].result()
    where = place(mutation, fleet.modes())
    assert not outcome.problems, f"{mutation.file}: {mutation.name!r} on {where}:\n" + "\n".join(outcome.problems)


@pytest.mark.lab
def test_healing_leaves_the_hosts_as_they_were(
    fleet: Fleet, benches: dict[str, Bench], outcomes: dict[str, Future[Outcome]]
) -> None:
    for future in outcomes.values():
        future.result()
    for host, bench in benches.items():
        assert not disagreements(bench.healthy, fleet.states(host))


@pytest.mark.lab
def test_every_control_that_passes_is_broken_by_a_mutation(
    benches: dict[str, Bench],
    outcomes: dict[str, Future[Outcome]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    passing = {name for bench in benches.values() for name, state in bench.healthy.items() if state == "pass"}
    ended = {name: future.result() for name, future in outcomes.items()}
    good = [mutation for mutation in MUTATIONS if mutation.name in ended and not ended[mutation.name].problems]
    elsewhere = load(FOLDER / "kernel")
    with capsys.disabled():
        print(f"\n{kill_rate.table(passing, good, elsewhere)}")
        print(kill_rate.times({name: outcome.seconds for name, outcome in ended.items()}))
    lacking = kill_rate.unbroken(passing, [*MUTATIONS, *elsewhere]) - kill_rate.missing()
    assert not lacking, f"no mutation breaks {', '.join(sorted(lacking))}"
