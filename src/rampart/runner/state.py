# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What is known of a run, as a fold over the events of ansible-runner. Pure: no clock, no terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

OUTCOMES = {
    "runner_on_ok": "ok",
    "runner_on_failed": "failed",
    "runner_on_unreachable": "unreachable",
    "runner_on_skipped": "skipped",
}


@dataclass
class Cell:
    """One host in one stage; `phase` is the tasks file that is running, empty when nothing runs."""

    ok: int = 0
    changed: int = 0
    failed: int = 0
    skipped: int = 0
    phase: str = ""

    def count(self, outcome: str) -> None:
        setattr(self, outcome, getattr(self, outcome) + 1)


@dataclass(frozen=True)
class Failure:
    """A task that failed on a host, or a host that could not be reached; `text` is the whole message."""

    host: str
    stage: str
    task: str
    action: str
    path: str
    text: str
    unreachable: bool = False
    rescued: bool = False


@dataclass
class RunState:
    """Hosts and stages in the order of their first appearance, cells by (host, stage), and what failed."""

    hosts: list[str] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    task: str = ""
    play: str = ""

    def apply(self, event: Mapping[str, Any]) -> None:
        """Fold one event in; events of other kinds are ignored."""
        kind = event.get("event", "")
        data = event.get("event_data") or {}
        if kind == "playbook_on_play_start":
            self.play = str(data.get("name") or data.get("play") or "")
        elif kind == "playbook_on_task_start":
            self.task = str(data.get("task", ""))
        elif kind == "runner_on_start":
            self._begin(data)
        elif kind in OUTCOMES:
            self._end(OUTCOMES[kind], data)
        elif kind == "playbook_on_stats":
            self._settle(data)
        elif kind in ("error", "verbose", "warning") and "ERROR" in str(event.get("stdout", "")):
            self.errors.append(str(event["stdout"]))

    def _settle(self, stats: Mapping[str, Any]) -> None:
        """Mark what a rescue took over: the final statistics count no failure for that host."""
        broken = {*(stats.get("failures") or {}), *(stats.get("dark") or {})}
        self.failures = [replace(each, rescued=each.host not in broken) for each in self.failures]

    def totals(self, host: str) -> Cell:
        """The sum of a host's cells."""
        total = Cell()
        for (name, _stage), cell in self.cells.items():
            if name == host:
                total.ok += cell.ok
                total.changed += cell.changed
                total.failed += cell.failed
                total.skipped += cell.skipped
        return total

    def _cell(self, host: str, stage: str) -> Cell:
        if host not in self.hosts:
            self.hosts.append(host)
        if stage not in self.stages:
            self.stages.append(stage)
        return self.cells.setdefault((host, stage), Cell())

    def _begin(self, data: Mapping[str, Any]) -> None:
        self._cell(str(data.get("host", "")), stage_of(data)).phase = phase_of(data)

    def _end(self, outcome: str, data: Mapping[str, Any]) -> None:
        host, stage = str(data.get("host", "")), stage_of(data)
        cell = self._cell(host, stage)
        cell.phase = ""
        result = data.get("res") or {}
        if outcome == "ok" and result.get("changed"):
            outcome = "changed"
        if outcome in ("ok", "changed", "skipped") or data.get("ignore_errors"):
            cell.count(outcome if outcome in ("ok", "changed", "skipped") else "ok")
            return
        cell.count("failed")
        self.failures.append(
            Failure(
                host=host,
                stage=stage,
                task=str(data.get("task", "")),
                action=str(data.get("resolved_action") or data.get("task_action") or ""),
                path=str(data.get("task_path", "")),
                text=failure_text(result),
                unreachable=outcome == "unreachable",
            )
        )


def stage_of(data: Mapping[str, Any]) -> str:
    """The column of an event: the role, or `playbook` for the tasks around the roles (grouping, facts, verdict)."""
    return str(data.get("role") or "").rpartition(".")[2] or "playbook"


def phase_of(data: Mapping[str, Any]) -> str:
    """The phase: the name of the tasks file (preflight, install, configure, run, ...)."""
    match = re.search(r"/([\w-]+)\.ya?ml:\d+$", str(data.get("task_path", "")))
    return match.group(1) if match else ""


def failure_text(result: Mapping[str, Any]) -> str:
    """Everything a person needs from a result, in reading order; each part once."""
    parts = [str(result[key]).strip() for key in ("msg", "reason", "stderr", "stdout") if result.get(key)]
    items = [item for item in result.get("results") or [] if isinstance(item, Mapping) and item.get("failed")]
    parts += [f"item {item.get('item', '?')}: {failure_text(item)}" for item in items]
    if not parts and result.get("exception"):
        parts = [str(result["exception"]).strip()]
    if not parts:
        return "the task failed without a message" if result else "no result was recorded; see stdout in the run folder"
    return "\n".join(dict.fromkeys(parts))
