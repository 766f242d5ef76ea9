# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""File integrity as the probes see it, from recorded hosts: what is broken is never a pass."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.file_integrity import (
    integrity_baseline,
    integrity_check,
    integrity_rules,
)

from .recorded_host import RecordedHost

DATABASE = "@@begin_db\n/etc/passwd 1\n@@end_db\n"
DIGEST = hashlib.sha256(DATABASE.encode()).hexdigest()
FOLDER = "/var/lib/rampart/file-integrity"
WITNESS = (
    "journalctl -q -o cat --grep=file-integrity-sealed -n 1 _SYSTEMD_UNIT=rampart-file-integrity@baseline.service "
    "_SYSTEMD_UNIT=rampart-file-integrity@settle.service _SYSTEMD_UNIT=rampart-file-integrity@accept.service _UID=0"
)
STATE = {
    "kind": "check", "result": "ok", "checked": 1000, "trouble": "", "seconds": 2.5, "canary_seen": True,
    "database_sha256": DIGEST, "counts": {"added": 0, "removed": 0, "changed": 0}, "added": [], "removed": [],
    "changed": [],
}  # fmt: skip


def host(state: Any = STATE, seal: str = DIGEST, witness: str = DIGEST, now: str = "8200") -> RecordedHost:
    return RecordedHost(
        files={
            "/var/lib/aide/aide.db": DATABASE,
            f"{FOLDER}/seal.json": json.dumps({"sha256": seal, "entries": 1, "why": "first"}),
            f"{FOLDER}/state.json": state if isinstance(state, str) else json.dumps(state),
        },
        commands={WITNESS: json.dumps({"sha256": witness}) + "\n" if witness else "", "date +%s": now + "\n"},
    )


def test_a_sealed_baseline_has_two_witnesses() -> None:
    value = integrity_baseline(host(), {})
    assert (value["sealed"], value["witnessed"], value["sha256"]) == (True, True, DIGEST)


def test_an_exchanged_baseline_is_seen() -> None:
    assert integrity_baseline(host(seal="0"), {})["sealed"] is False
    assert integrity_baseline(host(witness="0"), {})["witnessed"] is False


def test_a_journal_without_the_record_says_neither() -> None:
    assert integrity_baseline(host(witness=""), {})["witnessed"] is None


def test_no_baseline_is_absent_and_a_damaged_seal_an_error() -> None:
    with pytest.raises(Absent):
        integrity_baseline(RecordedHost(), {})
    broken = host()
    broken.files[f"{FOLDER}/seal.json"] = "{"
    with pytest.raises(ProbeError, match="no JSON"):
        integrity_baseline(broken, {})


def test_the_last_check_is_read() -> None:
    value = integrity_check(host(), {})
    assert (value["result"], value["age_hours"], value["canary_seen"], value["current"]) == ("ok", 2.0, True, True)
    assert value["packages_wait_hours"] == 0.0


def test_findings_are_named() -> None:
    state = {**STATE, "result": "changed", "changed": ["/etc/issue"], "counts": {**STATE["counts"], "changed": 1}}
    assert integrity_check(host(state), {})["findings"] == ["changed: /etc/issue"]


def test_a_check_of_another_baseline_or_of_the_future_does_not_count() -> None:
    assert integrity_check(host({**STATE, "database_sha256": "0"}), {})["current"] is False
    assert integrity_check(host(now="10"), {})["age_hours"] > 720


def test_waiting_packages_are_told() -> None:
    waiting = host()
    waiting.files[f"{FOLDER}/packages.json"] = '{"since": 1000}'
    assert integrity_check(waiting, {})["packages_wait_hours"] == 2.0


@pytest.mark.parametrize("state", ["{", "[]", '{"kind": "check"}', json.dumps({**STATE, "checked": "never"})])
def test_a_damaged_state_is_an_error(state: str) -> None:
    with pytest.raises(ProbeError):
        integrity_check(host(state), {})


def test_no_check_is_absent() -> None:
    with pytest.raises(Absent, match="no check"):
        integrity_check(RecordedHost(), {})


CHECK = "aide --config-check -c /etc/aide/aide.conf"
PATH = "aide --path-check=f:{} -c /etc/aide/aide.conf"
HASHED = "[X] f '/a': selective rule: '/a f,p,l p+u+acl+sha256+xattrs+caps' (/etc/aide/aide.conf:53: '/a f Content')\n"
PLAIN = "[X] f '/b': selective rule: '/b (none) p+u+md5' (/etc/aide/aide.conf:54: '/b Weak')\n"
NONE = "[ ] f '/c': no matching rule\n"


def test_aide_itself_says_what_its_rules_match() -> None:
    answers: dict[Any, Any] = {
        CHECK: "",
        PATH.format("/a"): HASHED,
        PATH.format("/b"): PLAIN,
        PATH.format("/c"): (1, NONE, ""),
    }
    value = integrity_rules(RecordedHost(commands=answers), {"paths": ["/a", "/b", "/c"]})
    assert (value["matched"], value["hashed"]) == (["/a", "/b"], ["/a"])
    assert (value["unmatched"], value["unhashed"]) == (["/c"], ["/b", "/c"])


def test_rules_that_aide_refuses_are_not_valid() -> None:
    value = integrity_rules(RecordedHost(commands={CHECK: (17, "", "ERROR: invalid restriction")}), {"paths": ["/a"]})
    assert (value["valid"], value["trouble"]) == (False, "ERROR: invalid restriction")


@pytest.mark.parametrize("answer", ["", (17, "", "ERROR"), "no such thing"])
def test_an_answer_that_is_none_is_an_error(answer: Any) -> None:
    with pytest.raises(ProbeError):
        integrity_rules(RecordedHost(commands={CHECK: "", PATH.format("/a"): answer}), {"paths": ["/a"]})


def test_no_aide_is_absent() -> None:
    with pytest.raises(Absent, match="not installed"):
        integrity_rules(RecordedHost(), {"paths": ["/a"]})
