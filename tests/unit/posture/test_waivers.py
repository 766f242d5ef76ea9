# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Files of waivers."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import Result
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.waivers import WaiverError, load_waivers, uses

KNOWN = frozenset({"RMP-TST-001"})
GOOD = (
    "- {control: RMP-TST-001, hosts: ['gpu*'], owner: ops, reason: vendor, created: 2026-10-01, expires: 2027-01-31, "
    "ticket: 12, compensating_control: the bastion}\n"
)


def write(folder: Path, text: str) -> str:
    path = folder / "waivers.yml"
    path.write_text(text)
    return str(path)


def test_a_waiver_is_read_and_has_a_stable_id(tmp_path: Path) -> None:
    (one,) = load_waivers([write(tmp_path, GOOD)], KNOWN)
    assert (one.expires, one.ticket, one.hosts) == (date(2027, 1, 31), "12", ("gpu*",))
    assert (
        load_waivers([write(tmp_path, "waivers:\n" + GOOD.replace("2027-01-31", "'2027-01-31'"))], KNOWN)[0].id
        == one.id
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("owner: ops, ", ""), "waiver 1: key 'owner'"),
        (GOOD.replace("2027-01-31", "soon"), "key 'expires' is 'soon'"),
        (GOOD.replace("2027-01-31", "2027-01-31T10:00:00"), "key 'expires'"),
        (GOOD.replace("['gpu*']", "gpu1"), "key 'hosts' is 'gpu1'"),
        (GOOD.replace("TST-001", "TST-999"), "no control has that id"),
        (GOOD.replace("ticket", "tickt"), "key 'tickt' is not known"),
        (GOOD.replace("ticket", "tickt"), "key 'ticket' is None"),
        (GOOD.replace(", compensating_control: the bastion", ""), "key 'compensating_control'"),
        (GOOD.replace("created: 2026-10-01, ", ""), "key 'created' is None"),
        (GOOD.replace("2027-01-31", "2027-10-31"), "180 days later (2027-03-30)"),
        (GOOD + "- 3\n", "waiver 2: found 3"),
        ("a: 1", "wanted a list"),
        ("- {", "cannot be read"),
    ],
)
def test_a_malformed_waiver_is_refused_with_file_number_and_key(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(WaiverError) as refused:
        load_waivers([path], KNOWN)
    assert said in str(refused.value)
    assert path in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WaiverError, match=r"none\.yml"):
        load_waivers([str(tmp_path / "none.yml")], KNOWN)


def test_the_report_learns_which_waivers_took_part(tmp_path: Path) -> None:
    (one,) = load_waivers([write(tmp_path, GOOD)], KNOWN)
    excused = Result("RMP-TST-001", "high", "waived", waiver=one.id)
    assert uses([one], [excused], "gpu1", date(2027, 1, 31))[0].to_json()["matched"] is True
    unused = uses([one], [Result("RMP-TST-001", "high", "pass")], "gpu1", date(2027, 2, 1))[0]
    assert (unused.matched, unused.expired) == (False, True)
