# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What other scanners say of a hardened host: their figures, where they and Rampart disagree, who is right, and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rampart.dev import render
from rampart.dev.catalogue import load_yaml
from rampart.dev.frameworks import DATA

RIGHT = ("rampart", "scanner", "both", "site")
WHERE = ("", "container", "lab")
TABLE = DATA / "second_opinions.yml"
_NAMES = {"openscap": "OpenSCAP", "lynis": "Lynis"}


@dataclass(frozen=True)
class Disagreement:
    """Rules of a scanner, each with its recommendation of the benchmark, that a hardened host does not follow, and why.

    `right` says whose reading is the better one. `both`: the scanner reads rightly, and the benchmark offers another
    way that the host took. `site`: only those who run the host can decide or provide it. `where` is for rules that fail
    because of what a `container` has not, or no host of the `lab`.
    """

    scanner: str
    topic: str
    rules: dict[str, str]
    ours: str
    theirs: str
    right: str
    why: str
    where: str = ""

    def untaken(self, driver: str) -> bool:
        """Say whether no host of this driver can follow these rules.

        They are those of the way that it did not take, of what no lab host has, and on a container those of a kernel.
        """
        return self.right == "both" or self.where == "lab" or (self.where == "container" and driver == "nspawn")


def disagreements(path: Path = TABLE) -> list[Disagreement]:
    """Every group of the table; ValueError for a rule that stands twice or a group that names nobody who is right."""
    groups = [_group(entry) for entry in load_yaml(path)["disagreements"]]
    seen: set[tuple[str, str]] = set()
    for group in groups:
        for rule in group.rules:
            if (group.scanner, rule) in seen:
                raise ValueError(f"{rule} of {group.scanner} stands twice")
            seen.add((group.scanner, rule))
    return groups


def figures(path: Path = TABLE) -> list[dict[str, Any]]:
    """What was measured, a row a host."""
    found: list[dict[str, Any]] = load_yaml(path)["figures"]
    return found


def explained(scanner: str, groups: list[Disagreement]) -> set[str]:
    """The rules of a scanner that the table explains."""
    return {rule for group in groups if group.scanner == scanner for rule in group.rules}


def _group(entry: dict[str, Any]) -> Disagreement:
    if entry["right"] not in RIGHT:
        raise ValueError(f"{entry['rules']}: right is {entry['right']!r}, wanted one of {', '.join(RIGHT)}")
    words = {name: " ".join(str(entry[name]).split()) for name in ("topic", "ours", "theirs", "why")}
    rules = {rule: recommendation or "" for rule, recommendation in entry["rules"].items()}
    where = entry.get("where", "")
    if where not in WHERE:
        raise ValueError(f"{entry['rules']}: where is {where!r}, wanted one of {', '.join(WHERE[1:])}, or none")
    return Disagreement(entry["scanner"], rules=rules, right=entry["right"], where=where, **words)


INTRODUCTION = """\
`make second-opinion` runs OpenSCAP (profiles CIS Level 1 and 2 for servers) and Lynis on a host that Rampart hardened
in idle mode: once with the default roles, and once with what only a site can decide, namely the roles by choice
(`file_integrity`, `intrusion_detection`, `antivirus`), a log server, who may log in over SSH, a host that stops when it
can record no more, and a /var/tmp in memory. Every rule that fails stands below; any other fails the run.
"""
LEGEND = """\
The columns of OpenSCAP are the share of the applicable rules that pass, in percent: of all, and of those that the host
can follow, namely without the rules of the way that it did not take (`both`), that of a boot loader, which no host of
the lab has, and, on a container, those of a kernel.

Who is right: `rampart` (the scanner misreads the host, or asks for less), `scanner`, `both` (the benchmark offers
several ways and the host took another), or `site` (only those who run the host can decide or provide it).
"""
_FIGURES = ("host", "roles", "level1", "level2", "lynis")


def document(groups: list[Disagreement], measured: list[dict[str, Any]]) -> str:
    """The text of docs/second-opinions.md."""
    rows = (tuple(str(each[name]) for name in _FIGURES) for each in measured)
    lines = [render.NOTICE.format(source="src/rampart/dev/data/second_opinions.yml"), "", "# Second opinions", ""]
    lines += [INTRODUCTION, *render.table(("host", "roles", "CIS Level 1", "CIS Level 2", "Lynis"), rows), "", LEGEND]
    for scanner, name in _NAMES.items():
        rows = (_row(group) for group in groups if group.scanner == scanner)
        lines += [f"## {name}", "", *render.table(("topic", "right", "why", "Rampart", "scanner", "rules"), rows), ""]
    return "\n".join(lines)


def _row(group: Disagreement) -> tuple[str, ...]:
    rules = (f"`{rule}` ({number})" if number else f"`{rule}`" for rule, number in group.rules.items())
    return group.topic, group.right, group.why, group.ours, group.theirs, ", ".join(rules)
