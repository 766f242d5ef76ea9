# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Where hardening and a GPU workload get in each other's way: the rules by which the table is applied.

Pure. The table itself is `conflict_table.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

MODES = ("training", "inference", "idle", "quarantine")
# What `needs` of a conflict may name: the keys of the fact rampart_workload that say that something is there.
WORKLOADS = (
    "gpu",
    "rdma",
    "container_runtime",
    "rootless_runtime",
    "gpu_containers_running",
    "overlay_mounts",
    "router_netdevs",
    "foreign_modules",
    "kdump",
)
# Places in the name of a setting that stand for every network interface of an RDMA device, and for every one whose
# default route a router announced.
RAIL = "{rail}"
ROUTED = "{routed}"
_PLACES = {RAIL: "rdma_netdevs", ROUTED: "router_netdevs"}


class ContractError(ValueError):
    """A mode or an accepted conflict that does not exist; the message says which and what there is."""


class _Keep:
    """The value of a conflict in a mode where the desired value stays, under the condition that `advice` states."""

    def __repr__(self) -> str:
        return "keep"


KEEP: Any = _Keep()


@dataclass(frozen=True)
class Conflict:
    """One row: what a setting breaks, who saw it, and the value to use for each mode.

    `needs` are workloads that must all be there (none: the conflict is always there). `settings` are the names by which
    roles ask. A value is what the setting becomes in that mode, or KEEP. `adds` says that the setting belongs there
    even when the role did not ask for it.
    """

    id: str
    settings: tuple[str, ...]
    breaks: str
    evidence: tuple[str, ...]
    values: Mapping[str, Any]
    needs: tuple[str, ...] = ()
    advice: str = ""
    adds: bool = False


@dataclass
class Resolved:
    """The settings to use; the conflicts that applied as `{id, setting, wanted, used, breaks, advice, evidence}`; and
    the notes `{id, setting, advice}` of those whose setting stays under a condition."""

    settings: dict[str, Any]
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, str]] = field(default_factory=list)


def resolve(
    table: Collection[Conflict],
    desired: Mapping[str, Any],
    workload: Mapping[str, Any],
    mode: str,
    accepted: Collection[str] = (),
) -> Resolved:
    """Return the desired settings with every conflict of this workload and mode resolved.

    `accepted` are the ids of conflicts that the site takes upon itself: their settings stay as desired.
    """
    if mode not in MODES:
        raise ContractError(f"mode is {mode!r}, wanted one of {', '.join(MODES)}")
    unknown = sorted(set(accepted) - {conflict.id for conflict in table})
    if unknown:
        known = ", ".join(sorted(conflict.id for conflict in table))
        raise ContractError(f"accepted conflicts {', '.join(unknown)} do not exist, wanted some of {known}")
    resolved = Resolved(dict(desired))
    for conflict in table:
        if conflict.id not in accepted and applies(conflict, workload):
            for name in names(conflict, workload):
                _settle(resolved, conflict, name, mode)
    return resolved


def applies(conflict: Conflict, workload: Mapping[str, Any]) -> bool:
    """Say whether everything is there that the conflict needs."""
    return all(workload.get(need) for need in conflict.needs)


def names(conflict: Conflict, workload: Mapping[str, Any]) -> list[str]:
    """Return the settings of a conflict with RAIL and ROUTED replaced by each interface that they stand for."""
    return [filled for name in conflict.settings for filled in _filled(name, workload)]


def _filled(name: str, workload: Mapping[str, Any]) -> list[str]:
    place = next((place for place in _PLACES if place in name), None)
    if place is None:
        return [name]
    return [name.replace(place, netdev) for netdev in workload.get(_PLACES[place]) or []]


def _settle(resolved: Resolved, conflict: Conflict, name: str, mode: str) -> None:
    if name not in resolved.settings and not conflict.adds:
        return
    wanted, used = resolved.settings.get(name), conflict.values[mode]
    if used is KEEP and wanted:
        resolved.notes.append({"id": conflict.id, "setting": name, "advice": conflict.advice})
    if used is KEEP or wanted == used:
        return
    resolved.settings[name] = used
    told = {"id": conflict.id, "setting": name, "wanted": wanted, "used": used, "breaks": conflict.breaks}
    resolved.conflicts.append({**told, "advice": conflict.advice, "evidence": list(conflict.evidence)})
