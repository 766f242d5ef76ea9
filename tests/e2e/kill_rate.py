# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""How many of the controls that pass on a host are broken by a mutation, which must be all of them.

`unbreakable.yml` names those that no lab can break (they need hardware that it lacks), each with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import yaml

from .mutation import FOLDER, Mutation, area

EXEMPT = FOLDER.parent / "unbreakable.yml"
MISSING = FOLDER / "missing.txt"


def exempt() -> dict[str, str]:
    """Control id to why no lab can break it."""
    entries = yaml.safe_load(EXEMPT.read_text()) or []
    return {entry["control"]: entry["why"] for entry in entries}


def missing() -> set[str]:
    """Controls whose mutation is still to be written; none once the catalogue is complete."""
    return set(MISSING.read_text().split()) if MISSING.exists() else set()


def killed(mutations: Iterable[Mutation]) -> set[str]:
    """The controls that the mutations name; what only happens to notice (`also`) does not count."""
    return {control for mutation in mutations for control in mutation.controls}


def unbroken(passing: Collection[str], mutations: Iterable[Mutation]) -> set[str]:
    """The controls that pass and that nothing breaks."""
    return set(passing) - killed(mutations) - set(exempt())


def table(passing: Collection[str], here: Iterable[Mutation], elsewhere: Iterable[Mutation] = ()) -> str:
    """The kill rate by area and in total: broken here, broken in the other kind of lab, exempt."""
    ours, theirs, without = killed(here), killed(elsewhere), exempt()
    counts = {
        "pass": Counter(area(name) for name in passing),
        "here": Counter(area(name) for name in passing if name in ours),
        "there": Counter(area(name) for name in passing if name not in ours and name in theirs),
        "exempt": Counter(area(name) for name in passing if name not in ours | theirs and name in without),
    }
    rows = [[name, *(counts[key][name] for key in counts)] for name in sorted(counts["pass"])]
    rows.append(["total", *(sum(counts[key].values()) for key in counts)])
    lines = [f"{'area':<8} {'pass':>5} {'here':>5} {'there':>6} {'exempt':>7} {'kill rate':>10}"]
    for name, every, here_too, there_too, not_at_all in rows:
        due = every - not_at_all
        rate = f"{100 * (here_too + there_too) / due:.0f} %" if due else "-"
        lines.append(f"{name:<8} {every:>5} {here_too:>5} {there_too:>6} {not_at_all:>7} {rate:>10}")
    return "\n".join(lines)


def times(seconds: Mapping[str, float]) -> str:
    """What the mutations took, and the slowest."""
    if not seconds:
        return "no mutation ran"
    slow = sorted(seconds, key=lambda name: -seconds[name])[:3]
    told = "; ".join(f"{name} {seconds[name]:.1f} s" for name in slow)
    return f"{len(seconds)} mutations, {sum(seconds.values()) / len(seconds):.1f} s each; slowest: {told}"
