# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The identifiers of the frameworks that controls refer to, each list with its version and its source.

They are facts of the frameworks (ids, levels); none of their text is here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rampart.dev.catalogue import load_yaml

DATA = Path(__file__).with_name("data")


@dataclass(frozen=True)
class Framework:
    """One framework: `key` as in a control's `refs`, and every id that a reference may name."""

    key: str
    title: str
    short: str
    version: str
    source: str
    ids: frozenset[str]


@dataclass(frozen=True)
class Recommendation:
    """One recommendation of the CIS benchmark; `level` is the one for servers."""

    id: str
    level: int
    automated: bool


def frameworks(folder: Path = DATA) -> dict[str, Framework]:
    """Every framework of frameworks.yml, by its key."""
    entries = load_yaml(folder / "frameworks.yml")
    return {key: _framework(key, entry, folder) for key, entry in entries.items()}


def recommendations(folder: Path = DATA) -> list[Recommendation]:
    """The recommendations of the CIS benchmark in its order."""
    entries: Mapping[str, Mapping[str, Any]] = load_yaml(folder / "cis_debian12.yml")["recommendations"]
    return [Recommendation(key, entry["level"], entry["assessed"] == "automated") for key, entry in entries.items()]


def reasons(folder: Path = DATA) -> dict[str, str]:
    """Why a recommendation is not applied by default, by its id; ValueError when one has two reasons."""
    found: dict[str, str] = {}
    for entry in load_yaml(folder / "cis_debian12_not_applied.yml"):
        for each in entry["ids"]:
            if each in found:
                raise ValueError(f"recommendation {each} has two reasons")
            found[each] = " ".join(entry["why"].split())
    return found


def _framework(key: str, entry: Mapping[str, Any], folder: Path) -> Framework:
    if "file" in entry:
        ids = set(load_yaml(folder / entry["file"])["recommendations"])
    else:
        ids = {*_expanded(entry["ids"], entry.get("part", "")), *entry.get("more", ())}
    about = {name: str(entry[name]) for name in ("title", "short", "version", "source")}
    return Framework(key, **about, ids=frozenset(ids))


def _expanded(ids: list[str] | Mapping[str, str], part: str) -> Iterator[str]:
    for each in ids:
        yield each
        if isinstance(ids, Mapping):
            yield from (part.format(each, number) for number in _numbers(ids[each]))


def _numbers(ranges: str) -> Iterator[int]:
    """The numbers of ranges such as `1-9 11-13`."""
    for word in ranges.split():
        first, _, last = word.partition("-")
        yield from range(int(first), int(last or first) + 1)
