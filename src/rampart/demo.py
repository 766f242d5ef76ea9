# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The demo as data and pure functions: which driver, which steps, and what the two reports say beside each other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

LAB = "demo"
SEVERITIES = ("critical", "high", "medium", "low", "info")


@dataclass(frozen=True)
class Choice:
    """A lab driver, and the reason for it."""

    driver: str
    reason: str


def choose_driver(platform: str, root: bool, has_nspawn: bool, has_qemu: bool) -> Choice | None:
    """nspawn as root on Linux as it boots in seconds, else qemu, which needs no root; None when neither can run."""
    if platform == "linux" and root and has_nspawn:
        return Choice("nspawn", "you are root on Linux: containers with their own systemd boot in seconds")
    if has_qemu:
        why = "you are not root" if not root else "systemd-nspawn is not installed"
        return Choice("qemu", f"{why}: virtual machines need no root, and take minutes instead of seconds")
    return None


def read_report(report_dir: Path) -> dict[str, Any]:
    """posture.json of a report folder; empty when there is none."""
    path = report_dir / "posture.json"
    if not path.is_file():
        return {}
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def number(value: float | None) -> str:
    """A score in percent, or a dash where nothing was measured."""
    return "-" if value is None else f"{value:.1f}"


def comparison(before: Mapping[str, Any], after: Mapping[str, Any]) -> Table:
    """One row a host: score before and after, and what is still open."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for title in ("host", "mode", "score before", "score after", "pass", "fail", "waived", "undecided"):
        table.add_column(title, justify="left" if title in ("host", "mode") else "right")
    earlier = {host["name"]: host for host in before.get("hosts", [])}
    for host in after.get("hosts", []):
        counts = host.get("counts") or {}
        undecided = sum(counts.get(state, 0) for state in ("error", "unknown", "conflict"))
        table.add_row(
            host["name"],
            host.get("mode") or "-",
            number(earlier.get(host["name"], {}).get("score")),
            number(host.get("score")),
            *(str(counts.get(state, 0)) for state in ("pass", "fail", "waived")),
            str(undecided),
        )
    table.add_section()
    table.add_row(
        "fleet",
        "",
        number((before.get("verdict") or {}).get("score")),
        number((after.get("verdict") or {}).get("score")),
        style="bold",
    )
    return table


def open_controls(report: Mapping[str, Any], limit: int = 12) -> list[str]:
    """What still fails, gravest first: one line a control with its hosts and its remedy; at most `limit` lines."""
    hosts: dict[str, list[str]] = {}
    for host in report.get("hosts", []):
        for result in host.get("results", []):
            if result["state"] == "fail":
                hosts.setdefault(result["id"], []).append(host["name"])
    controls = report.get("controls", {})
    ordered = sorted(hosts, key=lambda each: (SEVERITIES.index(controls[each]["severity"]), each))
    lines = [
        f"{controls[each]['severity']:<8} {each}  {controls[each]['title']} ({', '.join(hosts[each])}); "
        f"remedy: {controls[each]['remedy']}"
        for each in ordered[:limit]
    ]
    return lines + ([f"... and {len(ordered) - limit} more in the report"] if len(ordered) > limit else [])
