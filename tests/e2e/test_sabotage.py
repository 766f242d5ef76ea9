# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Whoever blinds the measurer never gets a pass: tools go missing, hang or talk nonsense, files cannot be read, and
somebody measures who is not root."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import Request
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import Observation, Result
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture import assessment

from .agent import Agent, Measurer
from .fleet import Fleet
from .mutation import FOLDER, Mutation, first_of_each_family, load

pytestmark = pytest.mark.lab

WAYS = ("missing", "garbage", "fails", "hangs")
BLIND = ("error", "timeout")
GOOD = ("pass", "not_applicable")

#: Tools that a probe only looks for, and what of its answer would be lost without them: nothing that a control judges.
ONLY_LOOKED_FOR = {
    "workload": "a container runtime that is not there is what it says",
    "sshd_daemon": "it tells of the running process and of the files, not of the program on the disk",
}


@dataclass(frozen=True)
class Sighted:
    """A hardened host as it is seen with nothing in the way."""

    measurer: Measurer
    requests: Mapping[str, Request]
    observations: Mapping[str, Observation]
    results: Mapping[str, Result]
    rests_on: Mapping[str, frozenset[str]]

    def blinded(self, keys: list[str], sabotage: dict[str, object]) -> tuple[dict[str, Observation], dict[str, Result]]:
        """The observations that were made again, and every result with them in place of the good ones."""
        seen = self.measurer.agent.blinded([self.requests[key] for key in keys], sabotage)
        judged = self.measurer.judged(self.measurer.entries, {**self.observations, **seen})
        return seen, {result.id: result for result in judged.results}

    def users_of(self, kind: str) -> dict[str, list[str]]:
        """The observations that rest on each `tool` or `path`."""
        found: dict[str, list[str]] = defaultdict(list)
        for key in self.requests:
            for leaf in self.rests_on.get(key, ()):
                if leaf.startswith(f"{kind} "):
                    found[leaf.partition(" ")[2]].append(key)
        return dict(found)


@pytest.fixture(scope="module")
def sighted(fleet: Fleet) -> Iterator[Sighted]:
    """A hardened inference host, measured in full."""
    modes = fleet.modes()
    host = min(name for name, mode in modes.items() if mode == "inference")
    with Agent(fleet.lab, host) as agent:
        measurer = Measurer(agent, modes[host])
        requests = assessment.requests_for(measurer.entries)
        observations = agent.measure(requests)
        results = {result.id: result for result in measurer.judged(measurer.entries, observations).results}
        yield Sighted(measurer, {each.key: each for each in requests}, observations, results, agent.traced(requests))


def turned_good(before: Mapping[str, Result], after: Mapping[str, Result]) -> dict[str, str]:
    """Controls that came off better than they are."""
    return {
        name: f"{before[name].state} -> {result.state}: {result.reason}"
        for name, result in after.items()
        if result.state in GOOD and before[name].state != result.state
    }


def still_passing(sighted: Sighted, seen: Mapping[str, Observation], results: Mapping[str, Result]) -> dict[str, str]:
    """Passing controls whose observation was made all the same, out of what is gone."""
    made = {
        key: f"{found.status} {found.reason or str(found.value)[:80]}"
        for key, found in seen.items()
        if found.status not in BLIND and sighted.requests[key].kind not in ONLY_LOOKED_FOR
    }
    return {
        name: made[key]
        for name, result in results.items()
        if result.state == "pass"
        for key in result.obs
        if key in made and sighted.observations[key].status == "ok"
    }


@pytest.mark.parametrize("way", WAYS)
def test_without_a_tool_nothing_passes_that_rests_on_it(sighted: Sighted, way: str) -> None:
    problems = {}
    tools = sighted.users_of("tool")
    assert {"sshd", "nft", "systemctl"} <= set(tools)
    for tool, keys in sorted(tools.items()):
        seen, results = sighted.blinded(keys, {"tool": tool, "way": way})
        found = {"passing": still_passing(sighted, seen, results), "turned": turned_good(sighted.results, results)}
        if any(found.values()):
            problems[tool] = found
    assert not problems


def test_without_a_file_nothing_passes_that_rests_on_it(sighted: Sighted) -> None:
    users, problems = sighted.users_of("path"), {}
    tried = set()
    for leaves in sighted.rests_on.values():
        paths = sorted(leaf[5:] for leaf in leaves if re.match(r"path /(?!proc/\d)", leaf))
        tried.update({paths[0], paths[len(paths) // 2], paths[-1]} if paths else set())
    for path in sorted(tried & set(users)):
        seen, results = sighted.blinded(users[path], {"unreadable": [path]})
        found = {"passing": still_passing(sighted, seen, results), "turned": turned_good(sighted.results, results)}
        if any(found.values()):
            problems[path] = found
    assert len(tried) > 50
    assert not problems


def test_who_is_not_root_sees_less_and_nothing_better(sighted: Sighted) -> None:
    seen, results = sighted.blinded(list(sighted.requests), {"user": "nobody"})
    changed = {
        key
        for key, found in seen.items()
        # Free space is another from one second to the next, whoever looks.
        if found.status not in BLIND
        and found.value != sighted.observations[key].value
        and not key.startswith("disk_space(")
    }
    accidents = {
        name: sorted(changed & set(result.obs))
        for name, result in results.items()
        if result.state == "pass" and changed & set(result.obs)
    }
    assert not turned_good(sighted.results, results)
    assert not accidents, "what somebody sees of it who may not see all of it is no evidence"
    assert sum(result.state == "error" for result in results.values()) > 20


@pytest.mark.parametrize("family", sorted(first_of_each_family(load(FOLDER))))
def test_a_broken_host_does_not_pass_for_who_is_not_root(sighted: Sighted, family: str) -> None:
    mutation = next(each for each in load(FOLDER) if each.name == family)
    if not usable(sighted, mutation):
        pytest.skip("its controls do not pass on this host, or it is for another one")
    agent = sighted.measurer.agent
    agent.shell(mutation.broken_by)
    try:
        keys = [key for control in mutation.controls for key in sighted.results[control].obs]
        _unused, results = sighted.blinded(keys, {"user": "nobody"})
    finally:
        agent.shell(mutation.healed_by)
    assert {results[control].state for control in mutation.controls}.isdisjoint(GOOD)


def usable(sighted: Sighted, mutation: Mutation) -> bool:
    """Whether a mutation is for the host, and its observations are made on the host itself."""
    here = not mutation.host and mutation.mode == sighted.measurer.mode
    controls = [sighted.results[control] for control in mutation.controls]
    return here and all(each.state == "pass" and set(each.obs) <= set(sighted.requests) for each in controls)
