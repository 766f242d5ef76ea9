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


#: Walks through the host's own disks: what else is mounted there they leave out, and say so.
LEAVE_MOUNTS_OUT = ("file_search", "file_capabilities")


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
    changed = differing(sighted, [key for key, found in seen.items() if found.value != sighted.observations[key].value])
    accidents = {
        name: sorted(changed & set(result.obs))
        for name, result in results.items()
        if result.state == "pass" and changed & set(result.obs)
    }
    assert not turned_good(sighted.results, results)
    assert not accidents, "what somebody sees of it who may not see all of it is no evidence"
    assert sum(result.state == "error" for result in results.values()) > 20


def differing(sighted: Sighted, keys: list[str]) -> set[str]:
    """Which of these nobody sees otherwise than root; what changes by itself, such as free space, root sees twice."""
    agent, requests = sighted.measurer.agent, [sighted.requests[key] for key in keys]
    before = agent.measure(requests)
    seen = agent.blinded(requests, {"user": "nobody"})
    after = agent.measure(requests)
    return {
        key
        for key, found in seen.items()
        if found.status not in BLIND and before[key].value == after[key].value != found.value
    }


# A mount whose server does not answer: whoever opens the folder waits. The process keeps the kernel's question open.
HANG = """
import ctypes, os, sys, time
asked, question = os.pipe()
how = f"fd={question},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct"
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"hung", sys.argv[1].encode(), b"autofs", 0, how.encode()) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
time.sleep(600)
"""


@pytest.mark.parametrize("folder", ["/etc/sysctl.d", "/etc/modprobe.d"])
def test_nothing_passes_that_rests_on_a_mount_that_hangs(sighted: Sighted, folder: str) -> None:
    below = {path for path in sighted.users_of("path") if path == folder or path.startswith(folder + "/")}
    users = {key for path in below for key in sighted.users_of("path")[path]}
    keys = sorted(key for key in users if sighted.requests[key].kind not in LEAVE_MOUNTS_OUT)
    assert keys
    agent = sighted.measurer.agent
    agent.shell(
        f"systemd-run --quiet --unit=hang python3 -c '{HANG}' {folder}; sleep 2; grep -q '^hung {folder} ' /proc/mounts"
    )
    try:
        seen, results = sighted.blinded(keys, {"way": "hangs"})
    finally:
        # While the process is there: afterwards the kernel finds no such folder.
        agent.shell(f"umount --lazy {folder}; systemctl stop hang")
    assert not still_passing(sighted, seen, results)
    assert not turned_good(sighted.results, results)
    assert any(found.status in BLIND for found in seen.values())
    assert agent.measure([sighted.requests[keys[0]]])[keys[0]].value == sighted.observations[keys[0]].value


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
