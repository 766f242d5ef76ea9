# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Intrusion detection and antivirus as the probes see them, from recorded hosts: silence is never a pass."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.antivirus import (
    EICAR,
    antivirus_engine,
    upload_gate,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.intrusion_detection import (
    ids_bans,
    ids_line,
)

from .recorded_host import RecordedHost

LINE = "Nov 21 13:00:00 host sshd[1]: Invalid user a from 10.0.0.1 port 1"
EXPLAIN = ("cscli", "explain", "--type", "syslog", "--log", LINE)
SEEN = """line: ...
\t├ s01-parse
\t|\t└ \U0001f7e2 crowdsecurity/sshd-logs (+6 ~1)
\t├ s02-enrich
\t|\t└ \U0001f7e2 rampart/allowed (unchanged)
\t├-------- parser success \U0001f7e2
\t├ Scenarios
\t\t├ \U0001f7e2 crowdsecurity/ssh-bf
\t\t└ \U0001f7e2 crowdsecurity/ssh-slow-bf
"""
SPARED = """line: ...
\t├ s01-parse
\t|\t└ \U0001f7e2 rampart/allowed (~2 [whitelisted])
\t└-------- parser failure \U0001f534
"""


def test_the_engine_says_which_scenarios_a_line_meets() -> None:
    value = ids_line(RecordedHost(commands={EXPLAIN: SEEN}), {"line": LINE})
    assert value == {
        "parsed": True,
        "spared": False,
        "scenarios": ["crowdsecurity/ssh-bf", "crowdsecurity/ssh-slow-bf"],
    }


def test_a_spared_source_meets_none() -> None:
    value = ids_line(RecordedHost(commands={EXPLAIN: SPARED}), {"line": LINE})
    assert value == {"parsed": False, "spared": True, "scenarios": []}


@pytest.mark.parametrize("answer", ["", "garbage", (1, "", "fatal")])
def test_an_engine_that_explains_nothing_is_an_error(answer: Any) -> None:
    with pytest.raises(ProbeError):
        ids_line(RecordedHost(commands={EXPLAIN: answer}), {"line": LINE})


def test_no_engine_is_absent() -> None:
    with pytest.raises(Absent):
        ids_line(RecordedHost(), {"line": LINE})


def ruleset(*banned: Any) -> str:
    table = {"family": "inet", "table": "rampart_ids"}
    rule = {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}}
    drop = {"drop": None}
    count = {"counter": {"packets": 0, "bytes": 0}}
    objects = [
        {"table": {"family": "inet", "name": "rampart_ids"}},
        {"set": {**table, "name": "allowed4", "elem": [{"prefix": {"addr": "127.0.0.0", "len": 8}}]}},
        {"set": {**table, "name": "banned4", "elem": list(banned)}},
        {"chain": {**table, "name": "input", "type": "filter", "hook": "input", "prio": -10, "policy": "accept"}},
        {"rule": {**table, "chain": "input", "expr": [{"match": {**rule, "right": "@allowed4"}}, {"return": None}]}},
        {"rule": {**table, "chain": "input", "expr": [{"match": {**rule, "right": "@banned4"}}, count, drop]}},
    ]  # fmt: skip
    return json.dumps({"nftables": objects})


def bans(*banned: Any, state: str = '{"pulled": 990, "told": 1000, "trouble": "", "spared": []}') -> dict[str, Any]:
    host = RecordedHost(
        files={"/run/rampart-ids-bouncer/state.json": state},
        commands={"nft -j list ruleset": ruleset(*banned), "date +%s": "1000\n"},
    )
    value: dict[str, Any] = ids_bans(host, {})
    return value


def test_bans_of_the_kernel_are_read() -> None:
    value = bans({"elem": {"val": "203.0.113.7", "timeout": 60, "expires": 5}})
    assert (value["banned"], value["timeless"], value["banned_allowed"]) == (["203.0.113.7/32"], [], [])
    assert (value["prio"], value["spares_first"], value["pulled_s"]) == (-10, True, 10.0)


def test_a_ban_without_an_end_or_of_an_operator_is_seen() -> None:
    value = bans("203.0.113.7", {"elem": {"val": "127.0.0.2", "timeout": 60}})
    assert (value["timeless"], value["banned_allowed"]) == (["203.0.113.7/32"], ["127.0.0.2/32"])


def test_a_damaged_state_and_a_strange_element_are_errors() -> None:
    with pytest.raises(ProbeError, match="damaged"):
        bans(state="{}")
    with pytest.raises(ProbeError, match="no network"):
        bans("nonsense")


def test_no_table_is_absent() -> None:
    with pytest.raises(Absent, match="no table"):
        ids_bans(RecordedHost(commands={"nft -j list ruleset": '{"nftables": []}'}), {})


CONF = 'AlertExceedsMax = "yes"\nAlertEncrypted = "yes"\nMaxScanSize = "8388608"\nMaxFileSize = "8388608"\n'


class Scanned(RecordedHost):
    """A host whose scanner answers by what it is given."""

    def __init__(self, evil: Any, good: Any, conf: str = CONF) -> None:
        scan = "clamdscan --config-file=/etc/clamav/clamd.conf --stdout --no-summary -"
        conf_command = "clamconf --config-dir=/etc/clamav --non-default"
        super().__init__(
            files={"/var/lib/clamav/test.hdb": "x"}, commands={scan: "", conf_command: conf, "date +%s": "7200\n"}
        )
        self.scan, self.evil, self.good = scan, evil, good

    def run(self, argv: Any, timeout: float = 5.0, stdin: str = "") -> Any:
        if argv[0] == "clamdscan":
            self.commands[self.scan] = self.evil if stdin == EICAR else self.good
        return super().run(argv, timeout, stdin)


FOUND, OK = (1, "stream: Rampart.Test.EICAR FOUND\n", ""), (0, "stream: OK\n", "")


@pytest.mark.parametrize(
    ("evil", "good", "catches", "passes"),
    [
        (FOUND, OK, True, True),
        (OK, OK, False, True),
        (FOUND, FOUND, True, False),
        ((2, "ERROR: Could not connect to clamd\n", ""), (2, "", "ERROR"), False, False),
        ((0, "", ""), (0, "", ""), False, False),
    ],
)
def test_the_engine_is_judged_by_what_it_does(evil: Any, good: Any, catches: bool, passes: bool) -> None:
    value = antivirus_engine(Scanned(evil, good), {})
    assert (value["catches"], value["passes"]) == (catches, passes)
    assert (value["signatures"], value["age_hours"]) == (1, 2.0)
    assert value["limits_alert"] and value["encrypted_alert"] and value["members_whole"]


@pytest.mark.parametrize(
    ("conf", "field"),
    [
        ('LogTime = "yes"\n', "limits_alert"),
        ('LogTime = "yes"\n', "members_whole"),
        (CONF.replace('MaxFileSize = "8', 'MaxFileSize = "7'), "members_whole"),
        (CONF.replace('MaxScanSize = "8388608"\n', ""), "members_whole"),
    ],
)
def test_limits_that_nobody_names_are_seen(conf: str, field: str) -> None:
    assert antivirus_engine(Scanned(FOUND, OK, conf), {})[field] is False


WATCHES = "systemctl show --property=Paths --value rampart-upload-gate.path"


@pytest.mark.parametrize(
    ("folder", "watched"),
    [
        ("/var/lib/rampart/upload", ""),
        ("/srv/uploads of tenants", "/srv/uploads of tenants/incoming (DirectoryNotEmpty)\n"),
    ],
)
def test_what_lies_in_the_clean_folder_without_a_record_is_named(folder: str, watched: str) -> None:
    files = {
        f"{folder}/state.json": '{"trouble": "", "ended": 940}',
        f"{folder}/incoming/x": "",
        f"{folder}/work/.keep": "",
        f"{folder}/clean/a": "",
        f"{folder}/clean/.a.scan.json": "{}",
        f"{folder}/clean/b": "",
    }
    value = upload_gate(RecordedHost(files=files, commands={"date +%s": "1000\n", WATCHES: watched}), {})
    assert (value["unrecorded"], value["age_minutes"], value["trouble"]) == (["b"], 1.0, "")


def test_no_upload_path_is_absent() -> None:
    with pytest.raises(Absent, match="no upload path"):
        upload_gate(RecordedHost(commands={WATCHES: ""}), {})
