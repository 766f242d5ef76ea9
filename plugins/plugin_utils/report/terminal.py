# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The verdict as a table for a terminal of any width, with or without characters beyond ASCII."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

from ansible_collections.rampart.fleet.plugins.plugin_utils.report.summary import WORDS, headline
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.text import (
    UNDECIDED,
    percent,
    plural,
    say,
    simulated,
)

Json = dict[str, Any]

MIN_WIDTH, MAX_WIDTH = 60, 140
COLUMNS = ("MODE", "SCORE", "COVER", "PASS", "FAIL", "WAIVED", "N/A", "MANUAL", "UNDECIDED")
# What a narrow terminal can do without, first to go first.
OPTIONAL = ("MANUAL", "N/A", "WAIVED", "COVER", "PASS", "MODE")


@dataclass(frozen=True)
class Line:
    """A line and how it is meant: good, bad, open or plain."""

    text: str
    tone: str = "plain"


@dataclass(frozen=True)
class Screen:
    """The terminal: columns, and whether it shows more than ASCII."""

    width: int = 100
    unicode: bool = True

    @property
    def columns(self) -> int:
        return max(MIN_WIDTH, min(self.width, MAX_WIDTH))

    def rule(self) -> str:
        return ("─" if self.unicode else "-") * self.columns

    def wrap(self, text: str) -> list[str]:
        """Break ``text`` into lines that fit."""
        return [self.fit(line) for line in textwrap.wrap(text, self.columns, subsequent_indent="  ")]

    def fit(self, text: str) -> str:
        """Cut ``text`` to the width, and to ASCII where nothing else can be shown."""
        shown = text if self.unicode else text.encode("ascii", "backslashreplace").decode()
        return shown if len(shown) <= self.columns else shown[: self.columns - 3] + "..."


def _cells(host: Json) -> dict[str, str]:
    counts = host["counts"]
    return {
        "MODE": say(host["mode"] or "-", 14),
        "SCORE": percent(host["score"]),
        "COVER": percent(host["coverage"]),
        "PASS": str(counts.get("pass", 0)),
        "FAIL": str(counts.get("fail", 0)),
        "WAIVED": str(counts.get("waived", 0)),
        "N/A": str(counts.get("not_applicable", 0)),
        "MANUAL": str(counts.get("manual", 0)),
        "UNDECIDED": str(sum(counts.get(state, 0) for state in UNDECIDED)),
    }


def _tone(host: Json) -> str:
    if host["state"] != "measured" or any(host["counts"].get(state) for state in UNDECIDED):
        return "bad" if host["counts"].get("fail") else "open"
    return "bad" if host["counts"].get("fail") else "good"


class _Table:
    """Column widths for these hosts on this screen; columns that do not fit are left out."""

    def __init__(self, hosts: list[Json], screen: Screen) -> None:
        self.screen = screen
        self.rows = [(host, _cells(host)) for host in hosts]
        self.name = min(32, max([4, *(len(host["name"]) for host in hosts)]))
        self.columns = list(COLUMNS)
        self.widths = {c: max(len(c), *(len(cells[c]) for _unused, cells in self.rows), 0) for c in COLUMNS}
        for column in OPTIONAL:
            if self._total() > screen.columns:
                self.columns.remove(column)

    def _total(self) -> int:
        return self.name + sum(self.widths[column] + 2 for column in self.columns)

    def _join(self, name: str, cells: dict[str, str]) -> str:
        shown = [
            cells[c].ljust(self.widths[c]) if c == "MODE" else cells[c].rjust(self.widths[c]) for c in self.columns
        ]
        return "  ".join([say(name, self.name).ljust(self.name), *shown])

    def lines(self) -> list[Line]:
        out = [Line(self.screen.fit(self._join("HOST", {column: column for column in COLUMNS})))]
        for host, cells in self.rows:
            if host["state"] == "measured":
                out.append(Line(self.screen.fit(self._join(host["name"], cells)), _tone(host)))
            else:
                name = say(host["name"], self.name).ljust(self.name)
                reason = say(host["reason"] or "no reason given", MAX_WIDTH)
                out.append(Line(self.screen.fit(f"{name}  {host['state']}: {reason}"), "open"))
        return out


def _changes(report: Json) -> list[str]:
    found = []
    for key, what in (("previous", "the last run"), ("baseline", "the baseline")):
        diff = (report.get("changes") or {}).get(key)
        if diff:
            found.append(
                f"Since {what}: {plural(len(diff['new_failures']), 'new failure')}, {len(diff['fixed'])} fixed, "
                f"{plural(len(diff['changed_values']), 'changed value')}"
            )
    return found


def _replays(hosts: list[Json]) -> list[str]:
    replays = [(say(host["name"], 32), simulated(host)) for host in hosts]
    return [f"{name}: simulated hardware: {', '.join(kinds)}" for name, kinds in replays if kinds]


def render(report: Json, screen: Screen) -> list[Line]:
    """Return the verdict, a row a host, and what changed."""
    verdict, run = report["verdict"], report["run"]
    tone = {"pass": "good", "fail": "bad"}.get(verdict["state"], "open")
    size = f"{plural(len(report['hosts']), 'host')}, {plural(len(report['controls']), 'control')}"
    head = f"{run['title']}: {size}, run {run['id']}"
    score = f"score {percent(verdict['score'])}, coverage {percent(verdict['coverage'])}"
    return [
        Line(screen.fit(head)),
        Line(screen.rule()),
        *_Table(report["hosts"], screen).lines(),
        *(Line(screen.fit(text), "open") for text in _replays(report["hosts"])),
        Line(screen.rule()),
        *(Line(text, tone) for text in screen.wrap(f"{WORDS[verdict['state']].upper()} ({score}): {headline(report)}")),
        *(Line(screen.fit(text)) for text in _changes(report)),
    ]


_RESULT_CHANGES = (
    ("new_failures", "New failures", "bad"),
    ("fixed", "Fixed", "good"),
    ("changed_states", "Other changes of state", "open"),
    ("changed_values", "Same state, another value", "plain"),
    ("catalogue_changes", "Other results only because the control changed", "plain"),
)
_NAME_CHANGES = (
    ("hosts_lost", "Hosts no longer measured"),
    ("hosts_regained", "Hosts measured again"),
    ("hosts_appeared", "New hosts"),
    ("hosts_disappeared", "Hosts gone"),
    ("controls_appeared", "New controls"),
    ("controls_disappeared", "Controls gone"),
)


def _change_line(change: Json, arrow: str) -> str:
    before, after = change["before"] or "not there", change["after"] or "cannot be told"
    states = after if before == after else f"{before} {arrow} {after}"
    values = f"{say(change['observed_before'], 50)} {arrow} {say(change['observed_after'], 50)}"
    return f"  {change['host']} {change['control']} ({change['severity']}) {states}: {values}"


def render_diff(diff: Json, screen: Screen) -> list[Line]:
    """Return what a comparison found, a line a change."""
    since, arrow = diff["since"], "→" if screen.unicode else "->"
    head = f"Since run {since['id']} of {since['finished']} ({since['state']}, score {percent(since['score'])})"
    body = []
    for key, title, tone in _RESULT_CHANGES:
        if diff[key]:
            body.append(Line(f"{title} ({len(diff[key])})", tone))
            body += [Line(screen.fit(_change_line(change, arrow)), tone) for change in diff[key]]
    for key, title in _NAME_CHANGES:
        if diff[key]:
            body.append(Line(screen.fit(f"{title} ({len(diff[key])}): {', '.join(diff[key])}"), "open"))
    if diff["catalogue_changed"]:
        body.append(Line(screen.fit("The catalogue changed in between; what differs only by that stands apart.")))
    return [Line(screen.fit(head)), Line(screen.rule()), *(body or [Line("Nothing is different.", "good")])]
