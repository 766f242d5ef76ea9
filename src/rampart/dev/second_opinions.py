# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Where other scanners and Rampart disagree about a hardened host: who is right, and why; docs/second-opinions.md."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rampart.dev import render
from rampart.dev.catalogue import load_yaml
from rampart.dev.frameworks import DATA

RIGHT = ("rampart", "scanner", "both", "site")


@dataclass(frozen=True)
class Disagreement:
    """One rule of a scanner that a hardened host does not follow; `right` says whose reading is the better one.

    `both`: the scanner reads rightly, and the benchmark offers another way that the host took. `site`: only those who
    run the host can decide or provide it.
    """

    scanner: str
    rule: str
    recommendation: str
    ours: str
    theirs: str
    right: str
    why: str


def disagreements(path: Path = DATA / "second_opinions.yml") -> list[Disagreement]:
    """Every rule of the table; ValueError for one that stands twice or names nobody who is right."""
    found: dict[tuple[str, str], Disagreement] = {}
    for entry in load_yaml(path):
        if entry["right"] not in RIGHT:
            raise ValueError(f"{entry['rules']}: right is {entry['right']!r}, wanted one of {', '.join(RIGHT)}")
        for rule, recommendation in entry["rules"].items():
            key = (entry["scanner"], rule)
            if key in found:
                raise ValueError(f"{rule} of {entry['scanner']} stands twice")
            words = {name: " ".join(str(entry[name]).split()) for name in ("ours", "theirs", "why")}
            found[key] = Disagreement(*key, recommendation or "", **words, right=entry["right"])
    return list(found.values())


def document(entries: list[Disagreement]) -> str:
    """The text of docs/second-opinions.md."""
    header = ("rule", "recommendation", "Rampart", "scanner", "right", "why")
    lines = [render.NOTICE.format(source="src/rampart/dev/data/second_opinions.yml"), "", "# Second opinions", ""]
    lines += [
        "`make second-opinion` runs OpenSCAP (profiles CIS Level 1 and 2 for servers) and Lynis on a host that Rampart",
        "hardened in idle mode. Every rule that fails there stands below, with who is right; any other fails the run.",
        "Who is right: `rampart` (the scanner misreads the host), `scanner`, `both` (the benchmark offers several ways",
        "and the host took another), or `site` (only those who run the host can decide or provide it).",
        "",
    ]
    for scanner in sorted({each.scanner for each in entries}):
        rows = (
            (f"`{each.rule}`", each.recommendation, each.ours, each.theirs, each.right, each.why)
            for each in entries
            if each.scanner == scanner
        )
        lines += [f"## {scanner}", "", *render.table(header, rows), ""]
    return "\n".join(lines)
