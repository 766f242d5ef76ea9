# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The chain of run records: each names the hash of the one before and of all that the history holds of its run.

A row that is changed afterwards, or a record that is taken out, breaks it. Records are a kilobyte and outlive the
details of runs that were pruned. What a chain cannot show is its own missing end: keep its last hash elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Sign = Callable[[str], str]
#: Checks a signature over a record: an empty text when it is good, else why it is not.
Check = Callable[[str, str], str]

START = "0" * 64
TABLE = """
CREATE TABLE IF NOT EXISTS chain (
  position INTEGER PRIMARY KEY, run TEXT NOT NULL, record TEXT NOT NULL, sha256 TEXT NOT NULL, signature TEXT);
"""


@dataclass(frozen=True)
class Head:
    """The end of the chain: what to keep elsewhere."""

    position: int
    sha256: str
    signed: bool

    def to_json(self) -> Json:
        """Return the entry of a result."""
        return {"position": self.position, "sha256": self.sha256, "signed": self.signed}


@dataclass(frozen=True)
class Verification:
    """What checking a whole chain came to; it holds when there are no problems."""

    records: int
    signed: int
    detailed: int
    head: str
    problems: tuple[str, ...]


def canonical(value: Any) -> str:
    """Return JSON of which there is one form: sorted keys, no blanks (after RFC 8785)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(text: str | bytes) -> str:
    """Return the SHA-256 of a text in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace") if isinstance(text, str) else text).hexdigest()


def append(connection: sqlite3.Connection, run: str, sign: Sign | None) -> Head:
    """Add a record of a run as the history holds it now, and return the new end of the chain."""
    row = connection.execute("SELECT position, sha256 FROM chain ORDER BY position DESC LIMIT 1").fetchone()
    position, previous = row or (0, START)
    record = canonical({**_facts(connection, run), "content": _content(connection, run), "previous": previous})
    signature = sign(record) if sign else None
    head = Head(position + 1, digest(record), signature is not None)
    connection.execute("INSERT INTO chain VALUES (?, ?, ?, ?, ?)", (head.position, run, record, head.sha256, signature))
    return head


def verify(connection: sqlite3.Connection, check: Check | None) -> Verification:
    """Compute the whole chain again and compare it with what the history holds."""
    rows = connection.execute("SELECT position, run, record, sha256, signature FROM chain ORDER BY position").fetchall()
    latest = {run: position for position, run, *_rest in rows}
    kept = {run for (run,) in connection.execute("SELECT id FROM run")}
    problems: list[str] = []
    previous, expected = START, 1
    for position, run, record, sha256, signature in rows:
        problems += [f"record {position} ({run}): {wrong}" for wrong in _faults(position, expected, record, sha256)]
        if _field(record, "previous") != previous:
            problems.append(f"record {position} ({run}): it does not follow the record before it")
        if latest[run] == position and run in kept and _field(record, "content") != _content(connection, run):
            problems.append(
                f"record {position} ({run}): the results or the evidence of the run were changed afterwards"
            )
        if signature and check and (wrong := check(record, signature)):
            problems.append(f"record {position} ({run}): {wrong}")
        previous, expected = sha256, position + 1
    problems += [f"run {run} has no record in the chain" for run in sorted(kept - latest.keys())]
    signed = sum(1 for *_rest, signature in rows if signature)
    return Verification(len(rows), signed, len(kept), previous if rows else "", tuple(problems))


def _faults(position: int, expected: int, record: str, sha256: str) -> Iterator[str]:
    if position != expected:
        yield f"record {expected} before it is missing"
    if digest(record) != sha256:
        yield "its text was changed afterwards"


def _field(record: str, name: str) -> Any:
    try:
        return json.loads(record).get(name)
    except (ValueError, AttributeError):
        return None


def _facts(connection: sqlite3.Connection, run: str) -> Json:
    names = "id started finished playbook verdict exit_code fail_on score coverage catalogue_sha256 collection_version"
    row = connection.execute(f"SELECT {', '.join(names.split())} FROM run WHERE id = ?", (run,)).fetchone()
    return {"schema": 1, **dict(zip(names.split(), row, strict=True))}


def _content(connection: sqlite3.Connection, run: str) -> str:
    """Return the hash of everything of a run; texts of evidence are hashed anew, and not taken at their word."""
    running = hashlib.sha256()
    for kind, query in _QUERIES:
        for row in connection.execute(query, (run,)):
            running.update(canonical([kind, *(_plain(value) for value in row)]).encode("utf-8", "backslashreplace"))
    return running.hexdigest()


def _plain(value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    try:
        return digest(zlib.decompress(value))
    except zlib.error:
        return "damaged"


_QUERIES = (
    (
        "run",
        "SELECT id, started, finished, playbook, verdict, exit_code, fail_on, score, coverage, counts, "
        "catalogue_sha256, collection_version FROM run WHERE id = ?",
    ),
    (
        "host",
        "SELECT h.name, h.state, h.mode, h.reason, h.score, h.coverage, h.context, b.body FROM host h "
        "JOIN run r ON r.seq = h.run LEFT JOIN blob b ON b.id = h.observations WHERE r.id = ? ORDER BY h.name",
    ),
    (
        "result",
        "SELECT x.host, x.control, x.severity, x.state, e.body FROM result x JOIN run r ON r.seq = x.run "
        "JOIN evidence e ON e.id = x.evidence WHERE r.id = ? ORDER BY x.host, x.control",
    ),
    (
        "definition",
        "SELECT d.control, e.body FROM definition d JOIN run r ON r.seq = d.run JOIN evidence e ON e.id = d.evidence "
        "WHERE r.id = ? ORDER BY d.control",
    ),
)
