# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Times of hardening and measuring one host, beside a peer's, measured in one run and printed as ratios.

`DEV_SEC=path` names a checkout of dev-sec's collection (devsec.hardening); the collections it needs come from the
pinned `ansible` wheel, or from the folder `COLLECTIONS=path`. Without DEV_SEC only our own figures are printed.
Nothing is asserted about time.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.e2e.fleet import BIN, CHECKOUT, Fleet, ansible

pytestmark = pytest.mark.lab
VERIFIES = 5


@dataclass(frozen=True)
class Run:
    """One playbook run: wall seconds, tasks that ran on the host, how many changed something."""

    wall_s: float
    tasks: int
    changed: int


@contextmanager
def single_host(tmp: Path, name: str) -> Iterator[Fleet]:
    """A fresh lab of one host."""
    lab = f"bench-{name}-{os.getpid()}"
    lab_command = [BIN / "rampart", "lab"]
    try:
        subprocess.run(
            [*lab_command, "up", "--name", lab, "--driver", "nspawn", "--topology", "single"], check=True, timeout=900
        )
        path = subprocess.run(
            [*lab_command, "inventory", "--name", lab, "--path"], check=True, capture_output=True, text=True
        ).stdout
        yield Fleet(lab, Path(path.strip()), tmp / name)
    finally:
        subprocess.run([*lab_command, "down", "--name", lab], check=True, timeout=120)


def timed(run: subprocess.CompletedProcess[str], started: float) -> Run:
    recap = re.search(r"^host1\s+: ok=(\d+)\s+changed=(\d+)", run.stdout, re.MULTILINE)
    assert run.returncode == 0 and recap, run.stdout[-4000:] + run.stderr[-2000:]
    return Run(time.monotonic() - started, int(recap[1]), int(recap[2]))


def ours(fleet: Fleet, playbook: str) -> Run:
    started = time.monotonic()
    return timed(fleet.playbook(playbook), started)


def peers_checkout(tmp: Path, dev_sec: Path) -> Path:
    """A folder whose ansible.cfg finds dev-sec's collection and what it needs."""
    home = tmp / "peer"
    (home / "collections/ansible_collections/devsec").mkdir(parents=True)
    (home / "collections/ansible_collections/devsec/hardening").symlink_to(dev_sec.resolve())
    needed = Path(os.environ.get("COLLECTIONS", home / "needed"))
    if not needed.exists():
        galaxy = home / "galaxy.yml"
        galaxy.write_text(
            yaml.safe_dump({"dependencies": {"ansible.posix": "*", "community.general": "*", "community.crypto": "*"}})
        )
        script = [BIN / "python", CHECKOUT / "scripts/install_collections.py", "--galaxy", galaxy, "--dest", needed]
        subprocess.run(script, check=True, timeout=600)
    config = (CHECKOUT / "ansible.cfg").read_text().replace("./collections:./.deps", f"./collections:{needed}")
    (home / "ansible.cfg").write_text(config.replace("inject_facts_as_vars = False", ""))
    return home


def peer_play(tmp: Path) -> Path:
    # What containers cannot do is off, kernel parameters too, which favours the peer; both sides have pipelining.
    play = {
        "hosts": "all", "become": True, "gather_facts": True,
        "vars": {"ssh_allow_users": "ops", "os_auditd_enabled": False, "os_auth_pam_passwdqc_enable": False,
                 "os_sysctl_enabled": False},
        "roles": ["devsec.hardening.os_hardening", "devsec.hardening.ssh_hardening"],
    }  # fmt: skip
    path = tmp / "peer.yml"
    path.write_text(yaml.safe_dump([play]))
    return path


def show(*rows: tuple[str, str]) -> None:
    print()
    for name, value in rows:
        print(f"{name:32s} {value}")


def test_first_and_second_run_and_verify(tmp_path: Path) -> None:
    with single_host(tmp_path, "ours") as fleet:
        first, second = ours(fleet, "harden"), ours(fleet, "harden")
        verifies = [ours(fleet, "verify").wall_s for _ in range(VERIFIES)]
        report = fleet.report()
    measured = next(host for host in report["hosts"])
    probes_ms = sum(observation["ms"] for observation in measured["observations"].values())
    controls = len(measured["results"])
    show(
        ("harden, first run", f"{first.wall_s:6.1f} s   {first.tasks} tasks, {first.changed} changed"),
        ("harden, second run", f"{second.wall_s:6.1f} s   {second.tasks} tasks, {second.changed} changed"),
        (
            f"verify, {controls} controls",
            f"{statistics.median(verifies):6.2f} s   median of {VERIFIES}, {min(verifies):.2f} to {max(verifies):.2f}",
        ),
        ("probes on the host", f"{probes_ms / 1000:6.2f} s   {len(measured['observations'])} observations"),
    )
    if "DEV_SEC" in os.environ:
        home = peers_checkout(tmp_path, Path(os.environ["DEV_SEC"]))
        play = peer_play(tmp_path)
        with single_host(tmp_path, "peer") as fleet:
            runs = []
            for _ in range(2):
                started = time.monotonic()
                runs.append(
                    timed(ansible("ansible-playbook", str(play), "-i", str(fleet.inventory), checkout=home), started)
                )
        show(
            (
                "dev-sec os+ssh, first run",
                f"{runs[0].wall_s:6.1f} s   {runs[0].tasks} tasks, {runs[0].changed} changed",
            ),
            (
                "dev-sec os+ssh, second run",
                f"{runs[1].wall_s:6.1f} s   {runs[1].tasks} tasks, {runs[1].changed} changed",
            ),
            ("ratio dev-sec / ours, first", f"{runs[0].wall_s / first.wall_s:6.2f}"),
            ("ratio dev-sec / ours, second", f"{runs[1].wall_s / second.wall_s:6.2f}"),
            ("ratio of tasks, second", f"{runs[1].tasks / second.tasks:6.2f}"),
        )
