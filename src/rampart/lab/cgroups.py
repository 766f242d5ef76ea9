# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A private cgroup for each container: without one, containers share a payload group and stopping one never finishes.

Where systemd runs the machine, nspawn asks it for a scope. Elsewhere the groups are made by hand, in every hierarchy
that systemd in the container needs: cgroup v1 with a unified hierarchy beside it (hybrid), or cgroup v2 alone.
"""

from __future__ import annotations

from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
# cpuset is left out: a new group of it accepts no process before its cpus and mems are set.
_V1 = ("systemd", "unified", "memory", "pids", "devices", "freezer")


def plan(lab: str, host: str, root: Path = _ROOT) -> list[Path]:
    """The groups to make for a host, none where systemd keeps them."""
    if root == _ROOT and Path("/run/systemd/system").is_dir():
        return []
    tops = [root] if (root / "cgroup.controllers").exists() else [root / name for name in _V1 if (root / name).is_dir()]
    return [top / lab / host for top in tops if (top / "cgroup.procs").exists()]


def enter(groups: list[Path], pid: int) -> None:
    """Make the groups and move a process into each."""
    for group in groups:
        group.mkdir(parents=True, exist_ok=True)
        (group / "cgroup.procs").write_text(str(pid), encoding="ascii")


def nspawn_environment(groups: list[Path]) -> list[str]:
    """On a hybrid machine nspawn must be told to show the container cgroup v2, which Debian 12 and 13 expect."""
    hybrid = any(group.parent.parent.name == "unified" for group in groups)
    return ["SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1"] if hybrid else []
