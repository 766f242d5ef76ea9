# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Which groups a host gets: systemd's scope where systemd runs the machine, else groups by hand in what is mounted."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from rampart.lab import cgroups, nspawn_launcher


@pytest.fixture
def no_systemd(tmp_path: Path) -> Path:
    return tmp_path / "no-systemd"


def hierarchy(top: Path) -> Path:
    top.mkdir(parents=True)
    (top / "cgroup.procs").touch()
    return top


def test_cgroup_v2_with_systemd_gets_a_delegated_scope_that_systemd_makes(tmp_path: Path) -> None:
    root = hierarchy(tmp_path / "cgroup")
    (root / "cgroup.controllers").touch()
    groups = cgroups.plan("a", "h1", root, systemd=tmp_path)
    assert groups.scope is not None and groups.scope.startswith("rampart-lab-a-h1-")
    assert groups.paths == (root / "machine.slice" / groups.scope,) and groups.unified == groups.paths[0]
    assert groups.parents == () and groups.nspawn_environment() == []
    words = groups.wrapper()
    assert words[0].endswith("systemd-run") and words[-1] == "--"
    assert {"--scope", "--collect", "--property=Delegate=yes", f"--unit={groups.scope}"} <= set(words)
    groups.enter(1)
    assert not groups.paths[0].exists(), "a group made by hand is none of systemd's"


def test_a_scope_has_a_new_name_each_time(tmp_path: Path) -> None:
    root = hierarchy(tmp_path / "cgroup")
    names = {cgroups.plan("a", "h1", root, systemd=tmp_path).scope for _ in range(20)}
    assert len(names) == 20


def test_hybrid_with_systemd_knows_the_scope_in_both_of_its_hierarchies(tmp_path: Path) -> None:
    root = tmp_path / "cgroup"
    for name in ("systemd", "unified", "memory"):
        hierarchy(root / name)
    groups = cgroups.plan("a", "h1", root, systemd=tmp_path)
    assert [path.relative_to(root).parts[0] for path in groups.paths] == ["systemd", "unified"]
    assert groups.unified is None and groups.nspawn_environment() == ["SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1"]


def test_cgroup_v2_alone_gets_a_group_by_hand(tmp_path: Path, no_systemd: Path) -> None:
    root = hierarchy(tmp_path / "cgroup")
    (root / "cgroup.controllers").touch()
    groups = cgroups.plan("a", "h1", root, no_systemd)
    assert groups.paths == (root / "rampart-lab-a/h1",) and groups.unified == groups.paths[0]
    assert groups.parents == (root / "rampart-lab-a",)
    assert groups.wrapper() == [] and groups.nspawn_environment() == []
    groups.enter(4711)
    assert (groups.paths[0] / "cgroup.procs").read_text(encoding="ascii") == "4711"


def test_hybrid_gets_a_group_in_each_hierarchy_that_is_there(tmp_path: Path, no_systemd: Path) -> None:
    root = tmp_path / "cgroup"
    for name in ("systemd", "unified", "memory", "cpuset"):
        hierarchy(root / name)
    groups = cgroups.plan("a", "h1", root, no_systemd)
    assert [path.relative_to(root).parts[0] for path in groups.paths] == ["systemd", "unified", "memory"]
    assert groups.unified is None and groups.nspawn_environment() == ["SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1"]


def test_no_cgroups_is_no_group(tmp_path: Path, no_systemd: Path) -> None:
    groups = cgroups.plan("a", "h1", tmp_path, no_systemd)
    assert groups.paths == () and groups.unified is None and groups.nspawn_environment() == []


def test_each_boot_of_the_launcher_has_a_group_of_its_own_and_a_reboot_boots_again(tmp_path: Path) -> None:
    group = tmp_path / "group"
    group.mkdir()
    (group / "cgroup.controllers").write_text("memory\n", encoding="ascii")
    for name in ("mnt/disk", "seed", "bin", "group/launcher", "group/boot1", "group/boot2"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    # What needs root is replaced; the loop, the groups and the exit code are the script's own.
    for name, body in {"mount": "exit 0", "unshare": 'shift; exec "$@"', "mkdir": 'case "$*" in */run/*) ;; *) exec '
                       f'{shutil.which("mkdir")} "$@";; esac'}.items():  # fmt: skip
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        program.chmod(0o755)
    machine = f"echo boot >>{tmp_path}/boots; [ $(wc -l <{tmp_path}/boots) -ge 2 ] && exit 3; exit 133"
    argv = ["disk", "lower", str(tmp_path / "mnt"), str(tmp_path / "seed"), "true;", str(group), "sh", "-c", machine]
    done = subprocess.run(
        ["/bin/sh", "-c", nspawn_launcher.SCRIPT, "sh", *argv],
        env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert (tmp_path / "boots").read_text(encoding="utf-8").splitlines() == ["boot", "boot"]
    inside = [(group / name / "cgroup.procs").read_text(encoding="ascii").strip() for name in ("boot1", "boot2")]
    launcher = (group / "launcher/cgroup.procs").read_text(encoding="ascii").strip()
    assert len({*inside, launcher}) == 3 and all(pid.isdigit() for pid in (*inside, launcher))
    assert (group / "cgroup.subtree_control").read_text(encoding="ascii") == "+memory\n"
