# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""File integrity: what AIDE matches, whether the baseline is the one that was sealed, what the check found."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_CONFIG = "/etc/aide/aide.conf"
_DATABASE = "/var/lib/aide/aide.db"
_FOLDER = "/var/lib/rampart/file-integrity"
_UNIT = "rampart-file-integrity@{}.service"
# Checksums that nobody forges (SP 800-131A); AIDE still knows MD5 and CRC32.
_STRONG = {"sha256", "sha512", "sha512_256", "sha3_256", "sha3_512", "stribog256", "stribog512"}
_MATCH = re.compile(r"^\[X\] .*rule: '.* ([a-z0-9_+]+)' \(", re.M)
_NAMED = 20


@probe("integrity_rules", required=("paths",), source="aide --path-check of {paths}")
def integrity_rules(host: Host, params: Params) -> dict[str, Any]:
    """Return `{valid, trouble, matched: [path], unmatched: [path], hashed: [path], unhashed: [path]}`.

    AIDE itself is asked, for each path as a file, which rule matches; `hashed` are those whose content is compared by a
    strong checksum. Absent when AIDE is not installed.
    """
    if host.which("aide") is None:
        raise Absent("aide is not installed")
    check = host.run(["aide", "--config-check", "-c", _CONFIG])
    if check.rc != 0:
        trouble = check.stderr.strip()[-400:] or f"aide --config-check ended with status {check.rc}"
        return {"valid": False, "trouble": trouble, "matched": [], "unmatched": [], "hashed": [], "unhashed": []}
    rules = {str(path): _attributes(host, str(path)) for path in params["paths"]}
    return {
        "valid": True,
        "trouble": "",
        "matched": [path for path, found in rules.items() if found is not None],
        "unmatched": [path for path, found in rules.items() if found is None],
        "hashed": [path for path, found in rules.items() if found and found & _STRONG],
        "unhashed": [path for path, found in rules.items() if found is None or not found & _STRONG],
    }


@probe("integrity_baseline", source=f"sha256 of {_DATABASE}, its seal, and its record in the journal")
def integrity_baseline(host: Host, params: Params) -> dict[str, Any]:
    """Return `{sha256, entries, why, sealed, witnessed, witness}` of the database that checks compare with.

    `sealed`: its SHA-256 is that of the seal. `witnessed`: it is also what the journal has of the units that build it,
    null when the journal has no record (any more). Absent when there is no database.
    """
    digest = hashlib.sha256(host.read_bytes(_DATABASE)).hexdigest()
    seal = _object(host, f"{_FOLDER}/seal.json")
    witness = _witness(host)
    return {
        "sha256": digest,
        "entries": seal.get("entries"),
        "why": seal.get("why"),
        "sealed": seal.get("sha256") == digest,
        "witness": witness,
        "witnessed": None if witness is None else witness == digest,
    }


@probe("integrity_check", source=f"{_FOLDER}/state.json")
def integrity_check(host: Host, params: Params) -> dict[str, Any]:
    """Return what the last check left: `{kind, result, trouble, canary_seen, age_hours, seconds, counts, findings,
    current, packages_wait_hours}`.

    `result` is `ok`, `changed` or `error`; `current` says that it compared with the database that is there now;
    `packages_wait_hours` how long changes of packages have been waiting to be taken in (0: none wait). Absent when no
    check ever ended.
    """
    state = _object(host, f"{_FOLDER}/state.json")
    if not state:
        raise Absent("no check of the files ever ended")
    now = _now(host)
    try:
        counts = {name: int(state["counts"][name]) for name in ("added", "removed", "changed")}
        findings = [f"{name}: {path}" for name in counts for path in state[name]]
        age = (now - float(state["checked"])) / 3600
        digest = hashlib.sha256(host.read_bytes(_DATABASE)).hexdigest()
        return {
            "kind": str(state["kind"]),
            "result": str(state["result"]),
            "trouble": str(state["trouble"]),
            "canary_seen": state["canary_seen"] is True,
            # A check of the future is one whose time nobody can believe.
            "age_hours": round(age, 2) if age > -0.1 else 24 * 365,
            "seconds": state["seconds"],
            "counts": counts,
            "findings": findings[:_NAMED],
            "current": state["database_sha256"] == digest,
            "packages_wait_hours": _waiting(host, now),
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ProbeError(f"{_FOLDER}/state.json is damaged: {type(error).__name__}: {error}") from None


def _attributes(host: Host, path: str) -> set[str] | None:
    answer = host.run(["aide", f"--path-check=f:{path}", "-c", _CONFIG])
    if answer.rc not in (0, 1):
        raise ProbeError(f"aide --path-check=f:{path} ended with status {answer.rc}: {answer.stderr.strip()[-200:]}")
    found = _MATCH.search(answer.stdout)
    if answer.rc == 0 and found is None:
        raise ProbeError(f"aide --path-check=f:{path} answered what is no match: {answer.stdout.strip()[:200]}")
    return set(found.group(1).split("+")) if found and answer.rc == 0 else None


def _witness(host: Host) -> str | None:
    units = [f"_SYSTEMD_UNIT={_UNIT.format(job)}" for job in ("baseline", "settle", "accept")]
    answer = host.run(["journalctl", "-q", "-o", "cat", "--grep=file-integrity-sealed", "-n", "1", *units, "_UID=0"])
    # Without an entry that matches, journalctl ends with 1 and says nothing.
    if answer.rc not in (0, 1) or answer.stderr.strip():
        raise ProbeError(f"journalctl ended with {answer.rc}: {answer.stderr.strip()[:200] or 'no output'}")
    lines = answer.stdout.strip().splitlines()
    if not lines:
        return None
    try:
        return str(json.loads(lines[-1])["sha256"])
    except (KeyError, ValueError, TypeError):
        raise ProbeError(f"the journal's entry of the sealed baseline cannot be read: {lines[-1][:120]!r}") from None


def _waiting(host: Host, now: float) -> float:
    pending = _object(host, f"{_FOLDER}/packages.json")
    return round(max(0.0, now - float(pending["since"])) / 3600, 2) if pending else 0.0


def _now(host: Host) -> float:
    said = host.run(["date", "+%s"]).require_ok().stdout.strip()
    if not said.isdigit():
        raise ProbeError(f"date +%s said '{said[:40]}', wanted seconds")
    return float(said)


def _object(host: Host, path: str) -> dict[str, Any]:
    """Return a JSON object; empty when the file does not exist, ProbeError when it is none."""
    try:
        text = host.read_text(path)
    except Absent:
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        raise ProbeError(f"{path} is no JSON: {text[:80]!r}") from None
    if not isinstance(value, dict):
        raise ProbeError(f"{path} is no JSON object: {text[:80]!r}")
    return value
