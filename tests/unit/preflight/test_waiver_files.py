# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A waiver that cannot be read, or that is out of date for the host, is named with its file and number."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from ansible_collections.rampart.fleet.plugins.plugin_utils.preflight_waivers import WaiverProblems, check_waiver_files

TODAY = date(2026, 11, 20)
REST = "ticket: OPS-1, compensating_control: a bastion, created: 2026-10-01"
GOOD = f"{{control: RMP-SSH-003, hosts: [gpu*], owner: ops, reason: until the bastion is there, {REST}, expires: %s}}"


def check(tmp_path: Path, text: str, host: str = "gpu1", fleet: tuple[str, ...] = ()) -> WaiverProblems:
    path = tmp_path / "waivers.yml"
    path.write_text(text, encoding="utf-8")
    return check_waiver_files([str(path)], host, fleet, TODAY)


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
        (f"- {GOOD % '2027-01-01'}".replace("owner: ops, ", ""), "'owner' is None"),
        (f"- {GOOD % '2027-01-01'}".replace("[gpu*]", "a"), "'hosts' is 'a'"),
        (f"- {GOOD % 'soon'}", "'soon', wanted a day"),
        (f"- {GOOD % '2027-01-01, exprise: 1'}", "'exprise' is not known"),
        (f"- {GOOD % '2027-03-31'}", "wanted a day from 'created' to 180 days later (2027-03-30)"),
        (f"- {GOOD % '2026-09-30'}", "wanted a day from 'created'"),
        (f"- {GOOD % '2027-01-01'}".replace("created: 2026", "created: 2099"), "not in the future"),
    ],
)
def test_a_malformed_waiver_is_named(tmp_path: Path, text: str, part: str) -> None:
    problem = check(tmp_path, text).malformed[0]
    assert "waivers.yml" in str(problem)
    assert part in str(problem)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (problem,) = check_waiver_files([str(tmp_path / "none.yml")], "gpu1", (), TODAY).malformed
    assert "none.yml" in str(problem)


def test_a_waiver_for_hosts_that_nobody_has_is_named(tmp_path: Path) -> None:
    text = f"- {GOOD % '2027-01-01'}"
    assert check(tmp_path, text, fleet=("store1", "gpu7")) == WaiverProblems()
    (problem,) = check(tmp_path, text, fleet=("store1", "gateway1")).malformed
    assert "covers hosts gpu*, and the inventory has none of them" in str(problem)
