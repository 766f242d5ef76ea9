# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A waiver that cannot be read, or that is out of date for the host, is named with its file and number."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from ansible_collections.rampart.fleet.plugins.plugin_utils.preflight_waivers import WaiverProblems, check_waiver_files

TODAY = date(2026, 11, 20)
GOOD = "{control: RMP-SSH-003, hosts: [gpu*], owner: ops, reason: until the bastion is there, expires: %s}"


def check(tmp_path: Path, text: str, host: str = "gpu1") -> WaiverProblems:
    path = tmp_path / "waivers.yml"
    path.write_text(text, encoding="utf-8")
    return check_waiver_files([str(path)], host, TODAY)


@pytest.mark.parametrize("day", ["2026-11-20", "2027-01-01", "'2027-01-01'"])
def test_a_waiver_in_force_is_no_problem(tmp_path: Path, day: str) -> None:
    assert check(tmp_path, f"- {GOOD % day}") == WaiverProblems()


def test_an_empty_file_is_no_problem(tmp_path: Path) -> None:
    assert check(tmp_path, "---\n") == WaiverProblems()


def test_an_expired_waiver_of_the_host_is_named(tmp_path: Path) -> None:
    (problem,) = check(tmp_path, f"- {GOOD % '2026-11-19'}").expired
    assert "waiver 1" in str(problem)
    assert "RMP-SSH-003" in str(problem)
    assert "owner ops" in str(problem)
    assert "expired on 2026-11-19" in str(problem)


def test_an_expired_waiver_of_another_host_is_not_this_hosts_problem(tmp_path: Path) -> None:
    assert check(tmp_path, f"- {GOOD % '2026-11-19'}", host="store1") == WaiverProblems()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("- {control: RMP-SSH-003", "cannot be read"),
        ("control: RMP-SSH-003", "wanted a list"),
        ("- RMP-SSH-003", "'RMP-SSH-003'"),
        ("- {control: X, hosts: [a], reason: r, expires: 2027-01-01}", "'owner' is None"),
        ("- {control: X, hosts: a, owner: o, reason: r, expires: 2027-01-01}", "'hosts' is 'a'"),
        ("- {control: X, hosts: [a], owner: o, reason: r, expires: soon}", "'soon', wanted a day"),
        ("- {control: X, hosts: [a], owner: o, reason: r, expires: 2027-01-01, exprise: 1}", "'exprise' is not known"),
    ],
)
def test_a_malformed_waiver_is_named(tmp_path: Path, text: str, part: str) -> None:
    (problem,) = check(tmp_path, text).malformed
    assert "waivers.yml" in str(problem)
    assert part in str(problem)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (problem,) = check_waiver_files([str(tmp_path / "none.yml")], "gpu1", TODAY).malformed
    assert "none.yml" in str(problem)
