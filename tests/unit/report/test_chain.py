# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The history shows that it was tampered with: every way of changing it by hand breaks the chain of its records."""

from __future__ import annotations

import copy
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.history import History, HistoryError
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.publish import publish
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.signing import SigningError, check, sign
from typer.testing import CliRunner

from rampart.report_cli import app

Json = dict[str, Any]
RUNS = ("run-1", "run-2", "run-3")


@pytest.fixture
def history(tmp_path: Path, make_report: Callable[..., Json]) -> History:
    """Three runs on record."""
    kept = History(tmp_path / "history.sqlite")
    for number, run_id in enumerate(RUNS):
        kept.record(make_report(run_id, seed=number))
    return kept


def tamper(history: History, *statements: str) -> None:
    with closing(sqlite3.connect(history.path)) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0, f"nothing was changed by {statement}"
        connection.commit()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "signing"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ops", "-f", path], check=True)
    return path


@pytest.fixture
def signers(tmp_path: Path, key: Path) -> Path:
    path = tmp_path / "allowed_signers"
    path.write_text(f"ops@example.org {key.with_suffix('.pub').read_text()}")
    return path


def test_an_untouched_history_holds(history: History) -> None:
    found = history.verify()
    assert (found.records, found.detailed, found.problems) == (3, 3, ())


def test_a_run_that_is_recorded_again_is_a_further_record(history: History, make_report: Callable[..., Json]) -> None:
    head = history.record(make_report("run-2", seed=7))
    found = history.verify()
    assert (head.position, found.records, found.head, found.problems) == (4, 4, head.sha256, ())


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE result SET state = 'pass' WHERE run = 2 AND state = 'fail'", "record 2 (run-2): the results"),
        ("DELETE FROM result WHERE run = 2 AND state = 'fail'", "record 2 (run-2): the results"),
        ("UPDATE evidence SET body = body || ' '", "record 1 (run-1): the results or the evidence"),
        ("UPDATE blob SET body = x'00'", "the results or the evidence"),
        ("UPDATE host SET mode = 'idle' WHERE run = 3 AND name = 'gpu1'", "record 3 (run-3): the results"),
        ("UPDATE run SET verdict = 'pass', score = 100 WHERE id = 'run-1'", "record 1 (run-1): the results"),
        ("UPDATE chain SET record = replace(record, 'run-1', 'run-9') WHERE position = 1", "its text was changed"),
        ("DELETE FROM chain WHERE position = 2", "record 2 before it is missing"),
        ("DELETE FROM chain WHERE position = 3", "run run-3 has no record"),
        ("UPDATE chain SET sha256 = 'x' WHERE position = 1", "record 2 (run-2): it does not follow"),
    ],
)
def test_what_is_changed_by_hand_is_seen(history: History, statement: str, said: str) -> None:
    tamper(history, statement)
    assert said in "\n".join(history.verify().problems)


def test_pruned_runs_leave_their_records(history: History, make_report: Callable[..., Json]) -> None:
    history.record(make_report("run-4"), keep=2)
    found = history.verify()
    assert (found.records, found.detailed, found.problems) == (4, 2, ())


def test_a_signed_record_is_checked_against_those_who_may_sign(
    history: History, make_report: Callable[..., Json], key: Path, signers: Path, tmp_path: Path
) -> None:
    assert history.record(make_report("run-4"), sign=partial(sign, key=key)).signed
    assert history.verify(partial(check, allowed_signers=signers)).problems == ()
    assert history.verify(partial(check, allowed_signers=None)).problems == ()
    other = tmp_path / "others"
    other.write_text("eve ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJL4q1d3Vb1nq0C1t0lY6nYl0JxKXg5o1Q2gJYJm5g1x\n")
    assert "not signed by a key in" in history.verify(partial(check, allowed_signers=other)).problems[0]
    tamper(history, "UPDATE chain SET signature = replace(signature, 'A', 'B') WHERE position = 4")
    assert history.verify(partial(check, allowed_signers=signers)).problems


def test_a_key_that_cannot_sign_leaves_the_history_as_it_was(
    history: History, make_report: Callable[..., Json], tmp_path: Path
) -> None:
    with pytest.raises(SigningError, match="posture_signing_key"):
        history.record(make_report("run-4"), sign=partial(sign, key=tmp_path / "none"))
    assert [run["id"] for run in history.runs()] == list(RUNS)
    published = publish(make_report("run-5"), tmp_path / "out", history, sign=partial(sign, key=tmp_path / "none"))
    assert "signing with" in published.fault
    assert len(published.written) == 4


def test_a_history_of_the_first_schema_goes_on(history: History, make_report: Callable[..., Json]) -> None:
    with closing(sqlite3.connect(history.path)) as connection:
        connection.executescript(
            "DROP TABLE chain; DROP TABLE definition; ALTER TABLE host DROP COLUMN observations; "
            "ALTER TABLE host DROP COLUMN context; DROP TABLE blob; PRAGMA user_version = 1;"
        )
    history.record(make_report("run-4"))
    assert [run["id"] for run in history.runs()] == [*RUNS, "run-4"]
    # Runs that were recorded before there was a chain have no record, and it says so.
    assert len(history.verify().problems) == 3


def test_the_command_says_whether_the_chain_holds(history: History) -> None:
    arguments = ["--history", str(history.path), "--verify"]
    good = CliRunner().invoke(app, arguments)
    assert (good.exit_code, "the chain holds" in good.output) == (0, True)
    tamper(history, "UPDATE run SET score = 100")
    bad = CliRunner().invoke(app, arguments)
    assert (bad.exit_code, "the chain is broken" in bad.output) == (1, True)
    missing = CliRunner().invoke(app, [*arguments, "--allowed-signers", str(history.path.with_name("none"))])
    assert missing.exit_code == 3


def test_a_history_that_is_not_there_cannot_be_verified(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="does not exist"):
        History(tmp_path / "none.sqlite").verify()


DEFINITION: Json = {
    "id": "RMP-TST-001",
    "title": "A thing is so",
    "severity": "high",
    "rationale": "Because.",
    "probes": [{"id": "a", "kind": "sysctl", "key": "kernel.a"}],
    "expect": {"all": [{"obs": "a", "op": "ge", "value": 1}]},
    "remedy": "role x",
}


def tiny(report: Json, run_id: str, value: int, state: str, definition: Json) -> Json:
    """A report of one control on one host."""
    small = copy.deepcopy(report)
    small["run"].update(id=run_id, catalogue_sha256=str(definition["expect"]))
    host = small["hosts"][0]
    key = "sysctl(key=kernel.a)"
    host["observations"] = {key: {"status": "ok", "value": value, "reason": "", "source": "/proc", "ms": 0.1}}
    host["results"] = [
        {"id": "RMP-TST-001", "severity": "high", "state": state, "observed": f"a = {value}", "obs": [key]}
    ]
    small["hosts"] = [host]
    told = {name: definition[name] for name in ("title", "severity", "rationale", "remedy")}
    small["controls"] = {"RMP-TST-001": {**told, "area": "TST", "role": "x", "definition": definition}}
    return small


def stricter(least: int) -> Json:
    return {**DEFINITION, "expect": {"all": [{"obs": "a", "op": "ge", "value": least}]}}


def test_a_rule_that_changed_is_told_apart_from_a_host_that_did(report: Json, tmp_path: Path) -> None:
    history = History(tmp_path / "history.sqlite")
    publish(tiny(report, "run-1", 1, "pass", DEFINITION), tmp_path / "a", history)
    told = publish(tiny(report, "run-2", 1, "fail", stricter(2)), tmp_path / "b", history).report
    changes = told["changes"]["previous"]
    assert [(row["before"], row["after"]) for row in changes["catalogue_changes"]] == [("pass", "fail")]
    assert (changes["new_failures"], changes["changed_values"]) == ([], [])


def test_a_host_that_changed_under_a_changed_rule_is_still_seen(report: Json, tmp_path: Path) -> None:
    history = History(tmp_path / "history.sqlite")
    publish(tiny(report, "run-1", 3, "pass", DEFINITION), tmp_path / "a", history)
    changes = publish(tiny(report, "run-2", 1, "fail", stricter(2)), tmp_path / "b", history).report["changes"]
    assert [row["observed_after"] for row in changes["previous"]["new_failures"]] == ["a = 1"]
    assert changes["previous"]["catalogue_changes"] == []


def test_a_rule_that_looks_at_something_new_cannot_be_compared(report: Json, tmp_path: Path) -> None:
    history = History(tmp_path / "history.sqlite")
    publish(tiny(report, "run-1", 1, "pass", DEFINITION), tmp_path / "a", history)
    other = {**DEFINITION, "probes": [{"id": "a", "kind": "sysctl", "key": "kernel.b"}]}
    (row,) = publish(tiny(report, "run-2", 1, "pass", other), tmp_path / "b", history).report["changes"]["previous"][
        "catalogue_changes"
    ]
    assert (row["before"], row["after"]) == ("pass", None)


@pytest.mark.parametrize(
    ("kinds", "value", "state", "code"),
    [
        (["value"], 2, "pass", 4),
        (["verdict"], 2, "pass", 0),
        ([], 2, "pass", 0),
        (["verdict", "value"], 1, "pass", 0),
        (["value"], 0, "fail", 1),
    ],
)
def test_drift_fails_a_run_that_is_good_otherwise(
    report: Json, tmp_path: Path, kinds: list[str], value: int, state: str, code: int
) -> None:
    history = History(tmp_path / "history.sqlite")
    publish(tiny(report, "run-1", 1, "pass", DEFINITION), tmp_path / "a", history)
    later = tiny(report, "run-2", value, state, DEFINITION)
    later["verdict"].update(state="fail" if code == 1 else "pass", exit_code=1 if code == 1 else 0)
    told = publish(later, tmp_path / "b", history, drift=kinds).report["verdict"]
    assert told["exit_code"] == code
    if code == 4:
        assert told["state"] == "drift"
        assert "value drift since run run-1: RMP-TST-001 on gateway1" in told["reasons"]
