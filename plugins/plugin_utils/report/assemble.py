# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Join the host files of one run into the report; a host without one is reported, never left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Judge = Callable[[Sequence[Json], str, Sequence[Json]], Json]

SCHEMA_VERSION = 1
NO_FILE = (
    "no result of this run: the host was unreachable, or an earlier task failed on it before it was measured; "
    "see the output of the playbook for this host, then run it again"
)


@dataclass(frozen=True)
class RunInfo:
    """What the controller knows about the run; times are RFC 3339 in UTC."""

    id: str
    finished: str
    title: str = "Fleet posture"
    playbook: str = ""
    controller: str = ""


@dataclass(frozen=True)
class KnownHost:
    """What the play knows of a host that left no file: its mode, and why it could not be measured."""

    mode: str | None = None
    failure: str = ""


@dataclass
class HostFiles:
    """The host files of one folder: readable ones by host name, and why the others are not."""

    documents: dict[str, Json] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)


def _read(path: Path) -> Json:
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict) or not isinstance(document.get("host"), dict):
        raise ValueError("no key `host` with an object")
    if document.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(f"schema_version {document.get('schema_version')!r}, wanted {SCHEMA_VERSION}")
    if not document["host"].get("name") or not document.get("run_id"):
        raise ValueError("no host.name or run_id")
    return document


def load_host_files(directory: Path) -> HostFiles:
    """Read ``<directory>/*.json``; a file that cannot be read becomes a fault under its stem."""
    found = HostFiles()
    for path in sorted(directory.glob("*.json")):
        try:
            document = _read(path)
        except (OSError, ValueError) as error:
            found.faults[path.stem] = f"result file {path} is not readable ({error}); run the playbook again"
            continue
        found.documents[document["host"]["name"]] = document
    return found


def unmeasured(name: str, state: str, reason: str, mode: str | None = None) -> Json:
    """Return the entry of a host of which nothing is known but why."""
    return {
        "name": name,
        "mode": mode,
        "state": state,
        "reason": reason,
        "roles": [],
        "context": {},
        "score": None,
        "coverage": None,
        "counts": {},
        "results": [],
        "observations": {},
    }


def _host(name: str, run_id: str, files: HostFiles, known: KnownHost) -> Json:
    document = files.documents.get(name)
    if document is not None and document["run_id"] == run_id:
        host: Json = document["host"]
        return {**unmeasured(name, "measured", ""), **host}
    if document is None and name in files.faults:
        return unmeasured(name, "failed", files.faults[name], known.mode)
    if known.failure:
        return unmeasured(name, "failed", known.failure, known.mode)
    return unmeasured(name, "unreachable", NO_FILE, known.mode)


def _merge_waivers(documents: Iterable[Json]) -> list[Json]:
    merged: dict[str, Json] = {}
    for document in documents:
        for waiver in document.get("waivers", []):
            key = str(waiver.get("id") or json.dumps(waiver, sort_keys=True))
            known = merged.setdefault(key, {**waiver, "matched": []})
            matched = waiver.get("matched")
            names = matched if isinstance(matched, list) else [document["host"]["name"]] if matched else []
            known["matched"] = sorted({*known["matched"], *names})
    return [merged[key] for key in sorted(merged)]


def _first(documents: Sequence[Json], key: str) -> str:
    """Return the value that the hosts agree on; several are joined, so that a mixed run shows."""
    return ", ".join(sorted({str(document[key]) for document in documents if document.get(key)}))


def assemble(
    files: HostFiles,
    expected: Sequence[str],
    run: RunInfo,
    fail_on: str,
    judge: Judge,
    known: Mapping[str, KnownHost] | None = None,
) -> Json:
    """Return the report of run ``run.id`` on the ``expected`` hosts; see report.schema.json.

    ``judge(hosts, fail_on, waivers)`` decides; ``known`` helps with hosts that left no file.
    """
    names = sorted(dict.fromkeys(expected))
    hosts = [_host(name, run.id, files, (known or {}).get(name, KnownHost())) for name in names]
    documents = [
        files.documents[name] for name in names if name in files.documents and files.documents[name]["run_id"] == run.id
    ]
    controls: Json = {}
    for document in documents:
        definitions = document.get("definitions", {})
        for name, told in document.get("controls", {}).items():
            controls[name] = {**told, "definition": definitions[name]} if name in definitions else told
    waivers = _merge_waivers(documents)
    started = [str(document["started"]) for document in documents if document.get("started")]
    return {
        "schema_version": SCHEMA_VERSION,
        "run": {
            "id": run.id,
            "title": run.title,
            "started": min(started, default=None),
            "finished": run.finished,
            "playbook": run.playbook,
            "collection_version": _first(documents, "collection_version"),
            "catalogue_sha256": _first(documents, "catalogue_sha256"),
            "controller": run.controller,
        },
        "verdict": judge(hosts, fail_on, waivers),
        "controls": dict(sorted(controls.items())),
        "hosts": hosts,
        "waivers": waivers,
    }
