# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The antivirus engine by what it does with a test string and a harmless text, and the age of its signatures."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

# The industry's test string, in parts, so that no scanner takes this file for it.
EICAR = "".join([r"X5O!P%@AP[4\PZX54(P^)7CC)7}$", "EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE!", "$H+H*"])
_SCAN = ["clamdscan", "--config-file=/etc/clamav/clamd.conf", "--stdout", "--no-summary", "-"]
_UPLOAD = "/var/lib/rampart/upload"
_GATE = "rampart-upload-gate.path"


@probe("antivirus_engine", source="clamdscan of the EICAR test string and of a text; sigtool -i of the signatures")
def antivirus_engine(host: Host, params: Params) -> dict[str, Any]:
    """Return `{catches, passes, signatures, age_hours, limits_alert, members_whole, encrypted_alert}` of the engine.

    `catches` and `passes` are what it says of the test string and of a harmless text, now; `age_hours` is that of the
    newest signatures; the rest is what `clamconf` reads of its settings. `members_whole`: a member of an archive that
    is larger than a limit comes to notice. Absent when it is not installed.
    """
    if host.which("clamdscan") is None:
        raise Absent("clamdscan is not installed")
    return {
        "catches": _verdict(host, EICAR) == "FOUND",
        "passes": _verdict(host, "harmless\n") == "OK",
        **_signatures(host),
        **_settings(host),
    }


@probe("upload_gate", source="systemctl show rampart-upload-gate.path; state.json, incoming, work in its folder")
def upload_gate(host: Host, params: Params) -> dict[str, Any]:
    """Return `{trouble, age_minutes, waiting, oldest_minutes, unrecorded: [name]}` of the gate of the upload path.

    `age_minutes` is how long ago the gate last ended; `waiting` what is not judged yet, and the age of the oldest;
    `unrecorded` is what lies in the clean folder without the record of its scan. Absent when there is no upload path.
    """
    base = _watched(host)
    if not host.exists(f"{base}/incoming"):
        raise Absent(f"there is no upload path {base}")
    now = _number(host.run(["date", "+%s"]).require_ok().stdout)
    state = _state(host, base)
    ages = [
        now - host.stat(f"{base}/{folder}/{name}", follow=False).mtime
        for folder in ("incoming", "work")
        for name in host.listdir(f"{base}/{folder}")
    ]
    names = host.listdir(f"{base}/clean")
    return {
        "trouble": str(state["trouble"]) if state else "the gate never ended",
        "age_minutes": round((now - float(state["ended"])) / 60, 1) if state else None,
        "waiting": len(ages),
        "oldest_minutes": round(max(ages, default=0.0) / 60, 1),
        "unrecorded": [name for name in names if not name.startswith(".") and f".{name}.scan.json" not in names][:20],
    }


def _watched(host: Host) -> str:
    """Return the folder that systemd watches for uploads; the default one when it watches none."""
    said = host.run(["systemctl", "show", "--property=Paths", "--value", _GATE]).require_ok().stdout
    watched = re.search(r"^(/.+)/incoming \(DirectoryNotEmpty\)$", said, re.M)
    return watched.group(1) if watched else _UPLOAD


def _verdict(host: Host, text: str) -> str:
    """Return OK, FOUND, or ERROR when the engine does not answer: an engine that does not run catches nothing."""
    answer = host.run(_SCAN, timeout=15, stdin=text)
    last = answer.stdout.strip().splitlines()[-1:] or [""]
    if answer.rc == 0 and last[0].endswith(": OK"):
        return "OK"
    return "FOUND" if answer.rc == 1 and last[0].endswith(" FOUND") else "ERROR"


def _signatures(host: Host) -> dict[str, Any]:
    now = _number(host.run(["date", "+%s"]).require_ok().stdout)
    times = []
    paths = [
        path for kind in ("cvd", "cld", "hdb", "hsb", "ndb", "ldb") for path in host.glob(f"/var/lib/clamav/*.{kind}")
    ]
    for path in paths:
        if path.endswith((".cvd", ".cld")):
            times.append(_built(host, path))
        else:
            times.append(host.stat(path).mtime)
    return {"signatures": len(paths), "age_hours": round((now - max(times)) / 3600, 1) if times else None}


def _built(host: Host, path: str) -> float:
    said = host.run(["sigtool", "-i", path], timeout=15).require_ok().stdout
    match = re.search(r"^Build time: (.+)$", said, re.M)
    if match is None:
        raise ProbeError(f"sigtool -i {path} says no build time: {said[:120]!r}")
    return _number(host.run(["date", "-d", match.group(1).replace(" -0000", " UTC"), "+%s"]).require_ok().stdout)


def _settings(host: Host) -> dict[str, bool]:
    said = host.run(["clamconf", "--config-dir=/etc/clamav", "--non-default"]).require_ok().stdout
    found = dict(re.findall(r"^(\w+)(?: =)? \"?([^\"\n]*)\"?$", said, re.M))
    return {
        # The engine cuts members of a zip off at MaxFileSize and says nothing (Cisco-Talos/clamav#1832); what is left
        # and the archive around it are more than a MaxScanSize that is no larger, which it does say.
        "members_whole": 0 < _bytes(found, "MaxScanSize") <= _bytes(found, "MaxFileSize"),
        "limits_alert": found.get("AlertExceedsMax", "no") == "yes",
        "encrypted_alert": found.get("AlertEncrypted", "no") == "yes",
    }


def _bytes(settings: dict[str, str], name: str) -> int:
    """Return a size, 0 for one that is the engine's own: its MaxFileSize is below its MaxScanSize."""
    return int(settings[name]) if settings.get(name, "").isdigit() else 0


def _state(host: Host, base: str) -> dict[str, Any]:
    try:
        value = json.loads(host.read_text(f"{base}/state.json"))
        return {"trouble": value["trouble"], "ended": float(value["ended"])}
    except Absent:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise ProbeError(f"{base}/state.json is damaged: {type(error).__name__}: {error}") from None


def _number(text: str) -> float:
    if not text.strip().isdigit():
        raise ProbeError(f"date said {text[:40]!r}, wanted seconds")
    return float(text)
