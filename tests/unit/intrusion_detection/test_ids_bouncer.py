# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The bouncer: which decisions become bans, who is never banned, and what it asks the kernel to change."""

from __future__ import annotations

import ipaddress
from types import ModuleType

import pytest

from tests.unit.host_program import load


@pytest.fixture(scope="module")
def bouncer() -> ModuleType:
    return load("intrusion_detection", "ids-bouncer")


def decision(value: str, duration: str = "1h0m0s", **changed: str) -> dict[str, str]:
    return {"type": "ban", "scope": "Ip", "value": value, "duration": duration, **changed}


@pytest.mark.parametrize(
    ("text", "seconds"), [("3h59m57.5s", 14397), ("16.686635258s", 16), ("500ms", 0), ("-3s", 0), ("4h", 14400)]
)
def test_durations_of_go_are_read(bouncer: ModuleType, text: str, seconds: int) -> None:
    assert bouncer.seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "forever", "1d", "3h evil"])
def test_a_duration_that_is_none_is_trouble(bouncer: ModuleType, text: str) -> None:
    with pytest.raises(bouncer.Trouble, match="wanted one such as"):
        bouncer.seconds_of(text)


def test_bans_are_addresses_and_ranges_and_nothing_else(bouncer: ModuleType) -> None:
    asked = [
        decision("203.0.113.7"),
        decision("203.0.113.7", "2h"),
        decision("198.51.100.0/24", scope="Range"),
        decision("2001:db8::1"),
        decision("203.0.113.8", type="captcha"),
        decision("FR", scope="Country"),
        decision("203.0.113.9", "-1s"),
    ]
    wanted, spared = bouncer.bans(asked, [])
    assert {str(network): ban.seconds for network, ban in wanted.items()} == {
        "203.0.113.7/32": 7200,
        "198.51.100.0/24": 3600,
        "2001:db8::1/128": 3600,
    }
    assert spared == []


def test_whoever_must_get_in_is_spared_even_within_a_banned_range(bouncer: ModuleType) -> None:
    allowed = bouncer.allowed_networks("198.51.100.9/32  # an operator\n\n10.0.0.0/8\n")
    asked = [decision("198.51.100.0/24", scope="Range"), decision("10.1.2.3"), decision("127.0.0.1"), decision("::1")]
    wanted, spared = bouncer.bans(asked, allowed)
    assert wanted == {}
    assert spared == ["10.1.2.3/32", "127.0.0.1/32", "198.51.100.0/24", "::1/128"]


def test_a_decision_that_is_none_is_trouble_and_never_a_rule(bouncer: ModuleType) -> None:
    for value in ("1.2.3.4 }; flush ruleset", "", "300.1.1.1"):
        with pytest.raises(bouncer.Trouble):
            bouncer.bans([decision(value)], [])


def test_a_flood_of_decisions_is_refused(bouncer: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bouncer, "MOST", 2)
    with pytest.raises(bouncer.Trouble, match="wants 3 bans"):
        bouncer.bans([decision(f"203.0.113.{number}") for number in range(3)], [])


def test_no_ban_is_longer_than_a_week(bouncer: ModuleType) -> None:
    wanted, _ = bouncer.bans([decision("203.0.113.7", "87600h0m0s")], [])
    assert next(iter(wanted.values())).seconds == 7 * 24 * 3600


def test_only_the_difference_is_loaded(bouncer: ModuleType) -> None:
    wanted, _ = bouncer.bans([decision("203.0.113.7"), decision("203.0.113.8")], [])
    have = [ipaddress.ip_network("203.0.113.8/32"), ipaddress.ip_network("2001:db8::1/128")]
    assert bouncer.difference(wanted, have) == (
        "delete element inet rampart_ids banned6 { 2001:db8::1/128 }\n"
        "add element inet rampart_ids banned4 { 203.0.113.7/32 timeout 3600s }\n"
    )
    assert bouncer.difference({}, []) == ""


def test_the_table_replaces_itself_and_no_other_and_spares_first(bouncer: ModuleType) -> None:
    text = bouncer.skeleton(bouncer.allowed_networks("192.0.2.1/32\n"))
    assert "flush" not in text
    assert {line.split()[-1] for line in text.splitlines() if line.startswith("delete")} == {"rampart_ids"}
    assert text.index("@allowed4 return") < text.index("@banned4")
    assert "192.0.2.1/32" in text


def test_elements_of_every_form_are_read(bouncer: ModuleType) -> None:
    elements = [
        {"elem": {"val": "203.0.113.7", "timeout": 60, "expires": 5}},
        {"prefix": {"addr": "198.51.100.0", "len": 24}},
        {"elem": {"val": {"range": ["192.0.2.0", "192.0.2.1"]}, "timeout": 60}},
    ]
    listing = {
        "nftables": [{"set": {"name": "banned4", "elem": elements}}, {"set": {"name": "allowed4", "elem": ["1.1.1.1"]}}]
    }
    assert [str(one) for one in bouncer.members(listing)] == ["203.0.113.7/32", "198.51.100.0/24", "192.0.2.0/31"]
