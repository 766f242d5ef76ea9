# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The memory of a fleet: every run in one SQLite file, evidence stored once, and the baseline a person accepted."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.rampart.fleet.plugins.plugin_utils.report import chain
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.diff import Outcome, Snapshot, snapshot
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.rejudge import Evidence
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.text import say

Json = dict[str, Any]

VERSION = 2
BUSY_S = 5.0
KEEP_RUNS = 60  # 100 hosts x 400 controls are about 5 MB a run
SCHEMA = """
CREATE TABLE IF NOT EXISTS run (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, started TEXT, finished TEXT NOT NULL, playbook TEXT NOT NULL,
  verdict TEXT NOT NULL, exit_code INTEGER NOT NULL, fail_on TEXT NOT NULL, score REAL, coverage REAL,
  counts TEXT NOT NULL, catalogue_sha256 TEXT NOT NULL, collection_version TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS host (
  run INTEGER NOT NULL REFERENCES run(seq) ON DELETE CASCADE, name TEXT NOT NULL, state TEXT NOT NULL, mode TEXT,
  reason TEXT, score REAL, coverage REAL, PRIMARY KEY (run, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS evidence (id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS result (
  run INTEGER NOT NULL REFERENCES run(seq) ON DELETE CASCADE, host TEXT NOT NULL, control TEXT NOT NULL,
  severity TEXT NOT NULL, state TEXT NOT NULL, evidence INTEGER NOT NULL REFERENCES evidence(id),
  PRIMARY KEY (run, host, control)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS baseline (
  only INTEGER PRIMARY KEY CHECK (only = 1), run INTEGER NOT NULL REFERENCES run(seq), accepted TEXT NOT NULL);
"""
# What is needed to judge a run again: the controls as they were, the context and the observations of each host.
SCHEMA_2 = f"""
CREATE TABLE blob (id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, body BLOB NOT NULL);
CREATE TABLE definition (
  run INTEGER NOT NULL REFERENCES run(seq) ON DELETE CASCADE, control TEXT NOT NULL,
  evidence INTEGER NOT NULL REFERENCES evidence(id), PRIMARY KEY (run, control)) WITHOUT ROWID;
ALTER TABLE host ADD COLUMN context TEXT;
ALTER TABLE host ADD COLUMN observations INTEGER REFERENCES blob(id);
{chain.TABLE}
"""


class HistoryError(Exception):
    """The history cannot be used; what it holds was not touched."""


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        advice = (
            "another run is writing it: wait for it, or end the process that holds it"
            if "locked" in str(error) or "busy" in str(error)
            else "check that the folder is writable and has free space"
        )
        raise HistoryError(
            f"history {path}: {error}; nothing was recorded; {advice}, then run the report again"
        ) from error
    except (sqlite3.DatabaseError, OSError) as error:
        raise HistoryError(
            f"history {path} is not a usable SQLite database ({error}); it was left as it is; "
            "restore it from a backup, or move it away to start a new history"
        ) from error


class History:
    """The history database. Every method raises HistoryError with what to do, and changes all or nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def _open(self, create: bool = False) -> Iterator[sqlite3.Connection]:
        if not create and not self.path.exists():
            raise HistoryError(f"history {self.path} does not exist; a run of rampart.fleet.posture_report creates it")
        with _explained(self.path):
            if create:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self.path.touch(mode=0o600)
            with closing(sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)) as connection:
                self._prepare(connection)
                yield connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise HistoryError(
                f"history {self.path} has schema version {version}, this collection knows up to {VERSION}; "
                "use the newer collection that wrote it"
            )
        connection.execute("PRAGMA foreign_keys = ON")
        if version == 0:
            connection.execute("PRAGMA journal_mode = WAL")
        steps = "".join((SCHEMA, SCHEMA_2)[version:])
        if steps:
            connection.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {VERSION}; COMMIT;")

    def record(self, report: Json, keep: int = KEEP_RUNS, sign: chain.Sign | None = None) -> chain.Head:
        """Add a run, replacing one of the same id; keep the details of the newest ``keep`` and of the baseline.

        Returns the end of the chain of records. What ``sign`` raises leaves the history as it was.
        """
        with self._open(create=True) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                _record(connection, report)
                head = chain.append(connection, report["run"]["id"], sign)
                _prune(connection, keep)
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
        return head

    def verify(self, check: chain.Check | None = None) -> chain.Verification:
        """Compute the chain of records again; ``check`` looks at signatures."""
        with self._open() as connection:
            return chain.verify(connection, check)

    def evidence(self, run_id: str) -> dict[str, Evidence]:
        """Return what a run kept of each host, for judging it again; empty when it kept nothing."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT h.name, h.context, b.body FROM host h JOIN run r ON r.seq = h.run "
                "JOIN blob b ON b.id = h.observations WHERE r.id = ?",
                (run_id,),
            ).fetchall()
        return {name: Evidence(json.loads(context), json.loads(zlib.decompress(body))) for name, context, body in rows}

    def runs(self, limit: int = 30) -> list[Json]:
        """Return the newest runs, oldest first."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT id, finished, verdict, score, coverage FROM run ORDER BY seq DESC LIMIT ?", (limit,)
            ).fetchall()
        return [dict(zip(("id", "finished", "state", "score", "coverage"), row, strict=True)) for row in reversed(rows)]

    def previous(self, run_id: str) -> Snapshot | None:
        """Return the newest run that was recorded before ``run_id`` (or the newest of all when it is not recorded)."""
        with self._open() as connection:
            row = connection.execute(
                "SELECT id FROM run WHERE seq < coalesce((SELECT seq FROM run WHERE id = ?), 9e18) AND id != ? "
                "ORDER BY seq DESC LIMIT 1",
                (run_id, run_id),
            ).fetchone()
            return _load(connection, row[0]) if row else None

    def baseline(self) -> Snapshot | None:
        """Return the accepted baseline."""
        with self._open() as connection:
            row = connection.execute("SELECT id FROM run JOIN baseline ON baseline.run = run.seq").fetchone()
            return _load(connection, row[0]) if row else None

    def run(self, run_id: str) -> Snapshot:
        """Return the run whose id is, or alone begins with, ``run_id``."""
        with self._open() as connection:
            pattern = run_id.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            rows = connection.execute(
                "SELECT id FROM run WHERE id LIKE ? ESCAPE '\\' ORDER BY id = ? DESC, seq DESC", (pattern, run_id)
            ).fetchall()
            if not rows or (len(rows) > 1 and rows[0][0] != run_id):
                known = ", ".join(row[0] for row in rows[:5]) or ", ".join(run["id"] for run in self.runs(5)) or "none"
                what = "is ambiguous" if rows else "is not in the history"
                raise HistoryError(f"run {run_id!r} {what} ({self.path}); runs: {known}")
            return _load(connection, rows[0][0])

    def accept_baseline(self, run_id: str) -> None:
        """Make a recorded run the baseline; only a person asks for this, never a run."""
        with self._open() as connection:
            row = connection.execute("SELECT seq FROM run WHERE id = ?", (run_id,)).fetchone()
            if row is None:
                raise HistoryError(
                    f"run {run_id!r} is not in the history {self.path}; run the report again to record it"
                )
            now = datetime.now(UTC).isoformat(timespec="seconds")
            connection.execute("INSERT OR REPLACE INTO baseline VALUES (1, ?, ?)", (row[0], now))


def _evidence(connection: sqlite3.Connection, body: str) -> int:
    digest = hashlib.sha256(body.encode("utf-8", "backslashreplace")).hexdigest()
    connection.execute("INSERT OR IGNORE INTO evidence (sha256, body) VALUES (?, ?)", (digest, body))
    return int(connection.execute("SELECT id FROM evidence WHERE sha256 = ?", (digest,)).fetchone()[0])


def _blob(connection: sqlite3.Connection, value: Any) -> int:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = chain.digest(text)
    row = connection.execute("SELECT id FROM blob WHERE sha256 = ?", (digest,)).fetchone()
    if row is None:
        body = zlib.compress(text.encode("utf-8", "backslashreplace"), 6)
        return int(connection.execute("INSERT INTO blob (sha256, body) VALUES (?, ?)", (digest, body)).lastrowid or 0)
    return int(row[0])


def _lasting(observations: Json) -> Json:
    """Return what was observed without how long that took, which is never the same twice."""
    return {
        key: {name: found[name] for name in ("status", "value", "reason") if found.get(name) not in (None, "")}
        for key, found in observations.items()
    }


def _run_sequence(connection: sqlite3.Connection, report: Json) -> int:
    run, verdict = report["run"], report["verdict"]
    values = (
        *(run[key] for key in ("id", "started", "finished", "playbook")),
        *(verdict[key] for key in ("state", "exit_code", "fail_on", "score", "coverage")),
        json.dumps(verdict["counts"], sort_keys=True),
        *(run[key] for key in ("catalogue_sha256", "collection_version")),
    )
    connection.execute(
        "INSERT INTO run (id, started, finished, playbook, verdict, exit_code, fail_on, score, coverage, counts, "
        "catalogue_sha256, collection_version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET started = excluded.started, finished = excluded.finished, "
        "playbook = excluded.playbook, verdict = excluded.verdict, exit_code = excluded.exit_code, "
        "fail_on = excluded.fail_on, score = excluded.score, coverage = excluded.coverage, counts = excluded.counts, "
        "catalogue_sha256 = excluded.catalogue_sha256, collection_version = excluded.collection_version",
        values,
    )
    return int(connection.execute("SELECT seq FROM run WHERE id = ?", (run["id"],)).fetchone()[0])


def _record(connection: sqlite3.Connection, report: Json) -> None:
    sequence = _run_sequence(connection, report)
    connection.execute("DELETE FROM host WHERE run = ?", (sequence,))
    connection.execute("DELETE FROM result WHERE run = ?", (sequence,))
    connection.execute("DELETE FROM definition WHERE run = ?", (sequence,))
    connection.executemany(
        "INSERT INTO host (run, name, state, mode, reason, score, coverage, context, observations) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                sequence,
                *(host[k] for k in ("name", "state", "mode")),
                say(host["reason"] or "", 2000),
                host["score"],
                host["coverage"],
                json.dumps(host["context"], sort_keys=True),
                _blob(connection, _lasting(host["observations"])) if host["observations"] else None,
            )
            for host in report["hosts"]
        ],
    )
    known: dict[str, int] = {}
    rows = []
    taken = snapshot(report)
    for control, definition in taken.definitions.items():
        evidence = _evidence(connection, json.dumps(definition, sort_keys=True))
        connection.execute("INSERT INTO definition VALUES (?, ?, ?)", (sequence, control, evidence))
    for (host, control), outcome in taken.results.items():
        if outcome.observed not in known:
            known[outcome.observed] = _evidence(connection, outcome.observed)
        rows.append((sequence, host, control, outcome.severity, outcome.state, known[outcome.observed]))
    connection.executemany("INSERT INTO result VALUES (?, ?, ?, ?, ?, ?)", rows)


def _prune(connection: sqlite3.Connection, keep: int) -> None:
    old = connection.execute(
        "DELETE FROM run WHERE seq NOT IN (SELECT seq FROM run ORDER BY seq DESC LIMIT ?) "
        "AND seq NOT IN (SELECT run FROM baseline)",
        (max(keep, 2),),
    )
    if old.rowcount:
        used = "SELECT evidence FROM result UNION SELECT evidence FROM definition"
        connection.execute(f"DELETE FROM evidence WHERE id NOT IN ({used})")
        used = "SELECT observations FROM host WHERE observations IS NOT NULL"
        connection.execute(f"DELETE FROM blob WHERE id NOT IN ({used})")


def _load(connection: sqlite3.Connection, run_id: str) -> Snapshot:
    row = connection.execute(
        "SELECT seq, id, finished, verdict, score, catalogue_sha256 FROM run WHERE id = ?", (run_id,)
    ).fetchone()
    sequence, *rest = row
    taken = Snapshot(*rest)
    for name, state in connection.execute("SELECT name, state FROM host WHERE run = ?", (sequence,)):
        taken.hosts[name] = state == "measured"
    for control, text in connection.execute(
        "SELECT d.control, e.body FROM definition d JOIN evidence e ON e.id = d.evidence WHERE d.run = ?", (sequence,)
    ):
        taken.definitions[control] = json.loads(text)
    for host, control, *outcome in connection.execute(
        "SELECT r.host, r.control, r.severity, r.state, e.body FROM result r JOIN evidence e ON e.id = r.evidence "
        "WHERE r.run = ?",
        (sequence,),
    ):
        taken.results[host, control] = Outcome(*outcome)
    return taken
