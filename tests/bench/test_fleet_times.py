# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Measuring a large fleet: one lab host under FLEET_HOSTS (100) names, each with a connection of its own.

The hosts' share of the work is done by the same processors as the controller's, so that the wall time is more than that
of a real fleet; the seconds of processor are told apart. Nothing is asserted about time.
"""

from __future__ import annotations

import os
import resource
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from tests.bench.test_hardening_times import show, single_host
from tests.e2e.fleet import Fleet

pytestmark = pytest.mark.lab
HOSTS = int(os.environ.get("FLEET_HOSTS", "100"))
ROUNDS = 2


def under_many_names(fleet: Fleet, folder: Path) -> Fleet:
    """The same lab with an inventory in which its host stands many times."""
    inventory = yaml.safe_load(fleet.inventory.read_text())
    ((_name, host),) = inventory["all"]["children"]["rampart"]["hosts"].items()
    inventory["all"]["children"] = {
        # A shared connection would be cheaper than those of a hundred hosts.
        "rampart": {"hosts": {f"h{n:03d}": {**host, "ansible_control_path": f"{folder}/{n}"} for n in range(HOSTS)}}
    }
    path = folder / "many.yml"
    path.write_text(yaml.safe_dump(inventory))
    return Fleet(fleet.lab, path, fleet.reports)


def verify(fleet: Fleet, number: int) -> tuple[float, float, subprocess.CompletedProcess[str]]:
    """Measure; return the wall time and the controller's own seconds of processor."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = fleet.playbook("verify", report=f"run{number}")
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done


def test_a_large_fleet(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    # Paths of sockets have 108 characters at most.
    sockets = tmp_path_factory.mktemp("cp")
    with single_host(tmp_path, "fleet") as single:
        # One sshd has the logins of a hundred: it would turn some away.
        single.shell(
            "host1", "echo 'MaxStartups 500' >/etc/ssh/sshd_config.d/00-bench.conf; systemctl reload ssh.service"
        )
        many = under_many_names(single, sockets)
        rounds = []
        for number in range(ROUNDS):
            wall, cpu, done = verify(many, number)
            report = many.report(f"run{number}")
            lost = [host["reason"] for host in report["hosts"] if host["state"] != "measured"]
            assert not lost, (lost[:3], done.stdout[-3000:], done.stderr[-1000:])
            rounds.append((wall, cpu))
    controls = max(len(host["results"]) for host in report["hosts"])
    show(
        *(
            (
                f"verify, {HOSTS} hosts x {controls} controls",
                f"{wall:6.1f} s   controller {cpu:.1f} s of {os.cpu_count()} processors",
            )
            for wall, cpu in rounds
        )
    )
