# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What `dcgmi diag -r LEVEL -j` prints, of DCGM 3 and 4: which test came to what on which GPU."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.gpu.values import ParseError, Unavailable

_WHAT = "dcgmi diag -j"
_ROOTS = ("DCGM Diagnostic", "DCGM GPU Diagnostic")
_STATES = {"pass": "pass", "fail": "fail", "warn": "warn", "skip": "skip", "not run": "skip"}


@dataclass(frozen=True)
class DiagResult:
    """One test on one GPU, or on the host where `gpu` is empty; `state` is pass, fail, warn or skip."""

    category: str
    test: str
    gpu: str
    state: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """A whole run."""

    version: str | Unavailable
    driver: str | Unavailable
    results: tuple[DiagResult, ...]

    def in_state(self, state: str) -> tuple[DiagResult, ...]:
        """Return the results in a state."""
        return tuple(result for result in self.results if result.state == state)

    @property
    def passed(self) -> bool:
        """Say whether something was tested and nothing failed; a run that skipped everything has not passed."""
        return bool(self.in_state("pass")) and not self.in_state("fail")


def parse_diag(text: str) -> Diagnosis:
    """Return the results; ParseError when there are none, or one is in a state that we do not know."""
    start = text.find("{")
    try:
        document = json.loads(text[start:]) if start >= 0 else None
    except (ValueError, RecursionError) as error:
        raise ParseError(f"{_WHAT}: {str(error)[:120]}: the output is no JSON, or half of one") from None
    if not isinstance(document, Mapping):
        raise ParseError(f"{_WHAT}: {text.strip()[:80]!r} is no JSON object")
    report = next((document[name] for name in _ROOTS if isinstance(document.get(name), Mapping)), None)
    if report is None:
        raise ParseError(f"{_WHAT}: the document has neither '{_ROOTS[0]}' nor '{_ROOTS[1]}'")
    about = document.get("metadata")
    about = about if isinstance(about, Mapping) else report
    return Diagnosis(
        version=_word(about, "version", "DCGM Version"),
        driver=_word(about, "Driver Version Detected"),
        results=tuple(result for category in _list(report, "test_categories") for result in _category(category)),
    )


def _category(category: Mapping[str, Any]) -> list[DiagResult]:
    name = str(category.get("category", ""))
    return [
        _result(name, str(test.get("name", "")), result)
        for test in _list(category, "tests")
        for result in _list(test, "results")
    ]


def _result(category: str, test: str, result: Mapping[str, Any]) -> DiagResult:
    said = str(result.get("status", ""))
    state = _STATES.get(said.lower())
    if state is None:
        raise ParseError(
            f"{_WHAT}: test '{test[:40]}' of '{category[:40]}' is {said[:40]!r}, wanted one of {sorted(_STATES)}"
        )
    gpu = next((result[key] for key in ("entity_id", "gpu_id", "gpu_ids", "gpu") if key in result), "")
    return DiagResult(category, test, str(gpu), state, _notes(result))


def _notes(result: Mapping[str, Any]) -> tuple[str, ...]:
    notes = []
    for key in ("warnings", "warning", "info"):
        said = result.get(key, [])
        for one in said if isinstance(said, list) else [said]:
            notes.append(str(one.get("warning", one)) if isinstance(one, Mapping) else str(one))
    return tuple(note[:200] for note in notes if note)


def _word(about: Mapping[str, Any], *names: str) -> str | Unavailable:
    found = next((about[name] for name in names if isinstance(about.get(name), str)), None)
    return found or Unavailable("not_reported")


def _list(parent: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    members = parent.get(name, [])
    if not isinstance(members, list) or not all(isinstance(each, Mapping) for each in members):
        raise ParseError(f"{_WHAT}: '{name}' is no list of objects")
    return members
