# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Ways to break a host, as data, and the course of one: break, measure, heal, and see that nothing is left.

A mutation is an entry of `mutations/*.yml`:

    name, controls: [id]     what must turn to `state` (default fail)
    break, heal              shell, run as root
    from                     optional, what the controls are before (default pass; not_applicable for what a lab host
                             has not got until the break brings it, badly)
    also: [id]               what sees the same breakage from another side; nothing else may change
    way                      optional, how a person would do it: one of WAYS
    host, mode               optional, where: a host of the topology, or any host in this mode (default inference)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import yaml

from .agent import AgentError, Measurer, seen_from_outside

FOLDER = Path(__file__).parent / "mutations"
WAYS = ("drop-in", "runtime", "persistent", "later-file", "match-block", "edit")
_KEYS = {"name", "controls", "break", "heal", "also", "state", "way", "host", "mode", "from"}


@dataclass(frozen=True)
class Mutation:
    """One way to break a host, and the controls that must notice."""

    name: str
    file: str
    controls: tuple[str, ...]
    broken_by: str
    healed_by: str
    also: tuple[str, ...] = ()
    state: str = "fail"
    before: str = "pass"
    way: str = "edit"
    host: str = ""
    mode: str = "inference"

    @property
    def family(self) -> str:
        """The area of the controls that it is about."""
        return area(self.controls[0])

    @property
    def from_outside(self) -> bool:
        """Say whether another host has to look as well."""
        return any(seen_from_outside(control) for control in (*self.controls, *self.also))


def area(control: str) -> str:
    """The middle part of a control's id."""
    return control.split("-")[1]


def load(folder: Path) -> list[Mutation]:
    """Return the mutations of every file in the folder; ValueError for an entry that means nothing."""
    return [_read(path, entry) for path in sorted(folder.glob("*.yml")) for entry in yaml.safe_load(path.read_text())]


def _read(path: Path, entry: Mapping[str, Any]) -> Mutation:
    named = f"{path}: {entry.get('name', 'a mutation without a name')}"
    strange = sorted(set(entry) - _KEYS)
    lacking = sorted({"name", "controls", "break", "heal"} - set(entry))
    if strange or lacking:
        raise ValueError(f"{named}: unknown keys {strange}, missing keys {lacking}")
    if entry.get("way", "edit") not in WAYS:
        raise ValueError(f"{named}: way is {entry['way']!r}, wanted one of {', '.join(WAYS)}")
    return Mutation(
        name=entry["name"],
        file=path.stem,
        controls=tuple(entry["controls"]),
        broken_by=entry["break"],
        healed_by=entry["heal"],
        also=tuple(entry.get("also", ())),
        state=entry.get("state", "fail"),
        before=entry.get("from", "pass"),
        way=entry.get("way", "edit"),
        host=entry.get("host", ""),
        mode=entry.get("mode", "inference"),
    )


@dataclass(frozen=True)
class Outcome:
    """What a mutation came to; `problems` is empty when it did exactly what it says."""

    problems: tuple[str, ...]
    seconds: float


@dataclass
class Bench:
    """A hardened host on which one mutation after the other is tried.

    `second_way` measures the whole host by other means; it is asked while the host is broken by mutations of which
    `whole_way` holds, and must see the same. `scope` says which controls are looked at (None: all).
    """

    measurer: Measurer
    healthy: dict[str, str]
    second_way: Callable[[], Mapping[str, str]]
    whole_way: Callable[[Mutation], bool]
    scope: Callable[[Mutation], frozenset[str] | None] = lambda mutation: None
    _since_clean: list[str] = field(default_factory=list)

    def try_out(self, mutation: Mutation) -> Outcome:
        """Break the host, look, heal it, look again; never raises for what goes wrong on the host."""
        started = monotonic()
        try:
            problems = self._tried(mutation)
        except AgentError as error:
            problems = [str(error)]
        return Outcome(tuple(problems), monotonic() - started)

    def _tried(self, mutation: Mutation) -> list[str]:
        states = {name: self.healthy.get(name) for name in mutation.controls}
        unfit = {name: state for name, state in states.items() if state != mutation.before}
        if unfit:
            return [f"the controls must be {mutation.before} before the host is broken: {unfit}"]
        agent, problems = self.measurer.agent, []
        try:
            agent.shell(mutation.broken_by)
            broken = self.measurer.states(self.scope(mutation), mutation.from_outside)
            if self.whole_way(mutation):
                problems += disagreements(broken, self.second_way())
        finally:
            agent.shell(mutation.healed_by)
        found = self._unexpected(mutation, broken)
        problems += found
        touched = {name for name, state in broken.items() if state != self.healthy[name]}
        # A look at everything costs as much as the mutation itself: the next one's look at everything stands in for it.
        asked = self.scope(mutation) if found else touched.union(mutation.controls, mutation.also)
        problems += self._left_behind(mutation, self.measurer.states(asked, mutation.from_outside))
        return problems

    def _unexpected(self, mutation: Mutation, broken: Mapping[str, str]) -> list[str]:
        expected = dict.fromkeys(mutation.controls, mutation.state)
        missed = {name: broken.get(name) for name, state in expected.items() if broken.get(name) != state}
        allowed = {*mutation.controls, *mutation.also}
        others = {
            name: f"{self.healthy[name]} -> {state}"
            for name, state in broken.items()
            if state != self.healthy[name] and name not in allowed
        }
        problems = [f"the break was not noticed, wanted {mutation.state}: {missed}"] if missed else []
        if others:
            problems.append(f"the break changed controls that it has nothing to do with: {others}")
        return problems

    def _left_behind(self, mutation: Mutation, healed: Mapping[str, str]) -> list[str]:
        rest = {
            name: f"{self.healthy[name]} -> {state}" for name, state in healed.items() if state != self.healthy[name]
        }
        before = ", ".join(repr(name) for name in self._since_clean)
        self._since_clean.append(mutation.name)
        if not rest and not {name for name in self.healthy if not seen_from_outside(name)} - set(healed):
            self._since_clean.clear()
        if not rest:
            return []
        known = set(mutation.controls) | set(mutation.also)
        suspects = f"; or left by one of: {before}" if before and not set(rest) <= known else ""
        return [f"healing left behind: {rest}{suspects}"]


def disagreements(ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """What two ways to measure the same host do not agree about; a lone task has nobody who looks from outside."""
    names = sorted(name for name in {*ours, *theirs} if not seen_from_outside(name))
    found = {name: (ours.get(name), theirs.get(name)) for name in names if ours.get(name) != theirs.get(name)}
    return [f"the agent and the action plugin see different things: {found}"] if found else []


def first_of_each_family(mutations: Iterable[Mutation]) -> frozenset[str]:
    """The names of one mutation for each area."""
    chosen: dict[str, str] = {}
    for mutation in mutations:
        chosen.setdefault(mutation.family, mutation.name)
    return frozenset(chosen.values())
