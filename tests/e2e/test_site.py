# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""One command hardens four hosts; a second changes nothing; check mode and assessment change nothing at all."""

from __future__ import annotations

import re
import subprocess

import pytest

from .fleet import Fleet, said_of_failure

pytestmark = pytest.mark.lab

HOSTS = ("gateway1", "gpu1", "gpu2", "store1")
# The trees that hold configuration and programs, and the kernel parameters that are a container's own.
SNAPSHOT = r"""
find /etc /usr /boot /opt /root /home /srv /var/lib /var/spool -xdev \
    \( -path /var/lib/systemd -o -path /srv/rampart-apt \) -prune -o \
    -printf '%p %y %m %u %g %s %T@ %l\n' | sort | sha256sum
sysctl -a 2>/dev/null | grep '^net[.]' | grep -v nf_conntrack_count | sha256sum
nft list ruleset | sha256sum
systemctl list-unit-files --state=enabled,disabled,static,masked | sha256sum
"""


def changed(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """The recap's count of changed tasks by host."""
    return {
        host: int(count) for host, count in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", done.stdout, re.MULTILINE)
    }


def test_an_assessment_changes_nothing_on_a_bare_host(bare_fleet: Fleet) -> None:
    before = bare_fleet.shell("host1", SNAPSHOT)
    done = bare_fleet.playbook("assess", report="assessed")
    assert done.returncode == 0, said_of_failure(done)
    assert bare_fleet.shell("host1", SNAPSHOT) == before
    assert set(changed(done).values()) == {0}
    assert bare_fleet.report("assessed")["verdict"]["state"] == "fail", "a bare host must not pass"


def test_check_mode_runs_through_on_a_bare_host(bare_fleet: Fleet) -> None:
    before = bare_fleet.shell("host1", SNAPSHOT)
    done = bare_fleet.playbook("harden", "--check", "--diff")
    assert done.returncode == 0, said_of_failure(done)
    assert bare_fleet.shell("host1", SNAPSHOT) == before


def test_the_fleet_is_hardened_and_the_verdict_says_so(fleet: Fleet) -> None:
    report = fleet.report("first")
    assert report["verdict"]["state"] == "pass"
    assert {host["name"]: host["state"] for host in report["hosts"]} == dict.fromkeys(HOSTS, "measured")
    assert len(report["controls"]) >= 100
    for name in ("index.html", "posture.xml", "posture.prom"):
        assert (fleet.reports / "first" / name).stat().st_size > 0


def test_a_second_run_changes_nothing(fleet: Fleet) -> None:
    done = fleet.playbook("site", report="second")
    assert done.returncode == 0, said_of_failure(done)
    assert {changed(done)[host] for host in HOSTS} == {0}


def test_check_mode_of_a_hardened_fleet_predicts_no_change(fleet: Fleet) -> None:
    done = fleet.playbook("harden", "--check", "--diff")
    assert done.returncode == 0, said_of_failure(done)
    assert {changed(done)[host] for host in HOSTS} == {0}


def test_modes_differ_in_policy_and_each_passes_its_own(fleet: Fleet) -> None:
    hosts = {host["name"]: host for host in fleet.report("first")["hosts"]}
    expected = {name: {result["id"]: result["expected"] for result in host["results"]} for name, host in hosts.items()}
    differing = [control for control, text in expected["gpu1"].items() if expected["gpu2"].get(control, text) != text]
    assert hosts["gpu1"]["mode"] == "inference" and hosts["gpu2"]["mode"] == "training"
    modes = {host["mode"] for host in hosts.values()}
    assert modes == {"inference", "training", "idle"}
    assert len(differing) >= 1
