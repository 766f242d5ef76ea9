# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A private cgroup for each container: without one, containers share a payload group and stopping one never finishes.

Where systemd runs the machine it owns the cgroups, so it is asked for a delegated scope; the scope also takes the
processes out of the login session or the job that brought the lab up. Elsewhere the groups are made by hand, in every
hierarchy that systemd in the container needs: cgroup v1 with a unified hierarchy beside it (hybrid), or v2 alone.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from rampart.lab.tools import tool

_ROOT = Path("/sys/fs/cgroup")
_SYSTEMD = Path("/run/systemd/system")  # sd_booted(3)
_SLICE = "machine.slice"
# cpuset is left out: a new group of it accepts no process before its cpus and mems are set.
_V1 = ("systemd", "unified", "memory", "pids", "devices", "freezer")
_V1_SYSTEMD = ("systemd", "unified")  # where systemd itself makes a scope's groups


@dataclass(frozen=True)
class Groups:
    """The groups of one host, in every hierarchy. `scope` is the unit that systemd keeps them for, None without it."""

    paths: tuple[Path, ...]
    scope: str | None
    hybrid: bool

    @property
    def parents(self) -> tuple[Path, ...]:
        """The lab's own groups around those of its hosts, which nobody else removes."""
        return () if self.scope else tuple(path.parent for path in self.paths)

    @property
    def unified(self) -> Path | None:
        """The group on a machine with cgroup v2 alone, where controllers can be handed down to the container."""
        return self.paths[0] if self.paths and not self.hybrid else None

    def wrapper(self) -> list[str]:
        """The command that puts what follows it into the scope, and becomes it."""
        if self.scope is None:
            return []
        options = ["--scope", "--quiet", "--collect", "--no-ask-password", f"--slice={_SLICE}"]
        options += ["--property=Delegate=yes", f"--unit={self.scope}", f"--description={self.scope}"]
        return [tool("systemd-run"), *options, "--"]

    def enter(self, pid: int) -> None:
        """Make the groups and move a process into each; a scope was entered by `wrapper`."""
        for group in self.paths if self.scope is None else ():
            group.mkdir(parents=True, exist_ok=True)
            (group / "cgroup.procs").write_text(str(pid), encoding="ascii")

    def nspawn_environment(self) -> list[str]:
        """On a hybrid machine nspawn must be told to show the container cgroup v2, which Debian 12 and 13 expect."""
        return ["SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1"] if self.hybrid else []


def plan(lab: str, host: str, root: Path = _ROOT, systemd: Path = _SYSTEMD) -> Groups:
    """The groups for a host. A scope's name is never used twice: systemd may still know the one of an earlier boot."""
    unified = (root / "cgroup.controllers").exists()
    if systemd.is_dir():
        scope = f"rampart-lab-{lab}-{host}-{secrets.token_hex(4)}.scope"
        tops = [root] if unified else [root / name for name in _V1_SYSTEMD if (root / name).is_dir()]
        return Groups(tuple(top / _SLICE / scope for top in tops), scope, not unified)
    tops = [root] if unified else [root / name for name in _V1 if (root / name).is_dir()]
    paths = tuple(top / f"rampart-lab-{lab}" / host for top in tops if (top / "cgroup.procs").exists())
    return Groups(paths, None, any(path.parent.parent.name == "unified" for path in paths))
