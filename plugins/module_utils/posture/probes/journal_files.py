# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The journal as it is kept: settings as merged, how far back it reaches, whether it is whole, and where it goes."""

from __future__ import annotations

import json
import re
import time
from typing import Any, NamedTuple

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError, ProbeTimeout
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.files import describe
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.process_start import started
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.systemd import properties
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

# Of systemd's journald.conf(5), for keys that controls look at.
_DEFAULTS = {
    "Storage": "auto",
    "Compress": "yes",
    "Seal": "yes",
    "ForwardToSyslog": "no",
    "ForwardToConsole": "no",
    "RateLimitIntervalSec": "30s",
    "RateLimitBurst": "10000",
    "MaxLevelStore": "debug",
    "SystemMaxUse": "",
    "SystemKeepFree": "",
    "MaxRetentionSec": "0",
}
_PERSISTENT = "/var/log/journal"
_UPLOAD = "systemd-journal-upload.service"
_CURSORS = ("/var/lib/systemd/journal-upload/state", "/var/lib/private/systemd/journal-upload/state")
_DAY_S = 86_400
_SPENT = 0.7
_LOOKS, _SAME = 4, 3
_PAUSE_S = 0.25


@probe("journald_settings", source="systemd-analyze cat-config systemd/journald.conf")
def journald_settings(host: Host, params: Params) -> dict[str, Any]:
    """Return the settings that journald takes when it starts, and whether it has.

    {settings: {key as in journald.conf: text}, files: [paths], current: bool (journald started after the last change
     of those files and their folders)}. ForwardToSyslog is what Debian's systemd was built with unless a file says.
    """
    merged, files = cat_config(host, "systemd/journald.conf")
    folders = {path.rpartition("/")[0] for path in files if path.endswith(".d") or ".conf.d/" in path}
    written = max((host.stat(path).mtime for path in [*files, *sorted(folders)]), default=0.0)
    return {
        "settings": {**_DEFAULTS, **{key: value for key, value in merged.items() if value}},
        "files": files,
        # Time stamps of the kernel's clock tick and of the file system are coarse.
        "current": started(host, "systemd-journald.service") >= written - 1,
    }


@probe("journal_reach", source="journalctl --header; mtime of /etc/machine-id")
def journal_reach(host: Host, params: Params) -> dict[str, Any]:
    """Return {days: how far back the journal reaches, host_days: the age of the installation, whole: bool}.

    `whole` says that nothing was dropped yet: the journal is as old as the host, give or take a day.
    """
    answer = host.run(["journalctl", "--header"], timeout=10).require_ok()
    heads = [
        int(found, 16)
        for found in re.findall(r"^Head realtime timestamp: .*\(([0-9a-f]+)\)$", answer.stdout, re.M | re.I)
    ]
    newest = [
        int(found, 16)
        for found in re.findall(r"^Tail realtime timestamp: .*\(([0-9a-f]+)\)$", answer.stdout, re.M | re.I)
    ]
    if not heads or not newest:
        raise ProbeError("journalctl --header names no time of a first and last entry")
    now = max(newest) / 1e6
    days = (now - min(head for head in heads if head) / 1e6) / _DAY_S
    host_days = max(0.0, (now - host.stat("/etc/machine-id").mtime) / _DAY_S)
    return {"days": round(days, 1), "host_days": round(host_days, 1), "whole": days >= host_days - 1}


@probe("journal_verify", source="journalctl --verify --file=...")
def journal_verify(host: Host, params: Params) -> dict[str, Any]:
    """Return {verified: number, of: number, damaged: [{path, reason}]} of journal files that are closed, newest first.

    The file that is written is looked at when there is no other. Files that journald itself set aside after a crash
    (ending in ~) are not. As many as the time allows are verified; none at all is a time-out.
    """
    files = [path for path in host.glob(f"{_PERSISTENT}/*/*@*.journal") if host.exists(path)]
    files = sorted(files, key=lambda path: host.stat(path).mtime, reverse=True) or host.glob(
        f"{_PERSISTENT}/*/system.journal"
    )
    if not files:
        raise Absent(f"there is no journal file below {_PERSISTENT}")
    end = time.monotonic() + host.remaining() * _SPENT
    verified, damaged, late = 0, [], ""
    for path in files:
        try:
            fault = _lasting_fault(host, path, end)
        except ProbeTimeout as error:
            late = str(error)
            break
        # journald drops old files whenever the disk fills.
        if fault and not host.afresh().exists(path):
            continue
        verified += 1
        if fault:
            damaged.append({"path": path, "reason": fault})
    if not verified:
        raise ProbeTimeout(late or f"{files[0]} was dropped before it was verified")
    return {"verified": verified, "of": len(files), "damaged": damaged}


def _lasting_fault(host: Host, path: str, end: float) -> str:
    """Return what is wrong with a file, or nothing.

    Damage stays where it is. While journald writes, a verification meets entries that are not linked yet and says the
    same of them, at the end of what is written: elsewhere at each look. Without time for more looks the fault of a
    closed file counts, and the file that is written is not verified.
    """
    fault = _fault(host, path, end)
    places = [fault.place]
    try:
        while fault.place and len(places) < _LOOKS:
            time.sleep(_PAUSE_S)
            fault = _fault(host.afresh(), path, end)
            places.append(fault.place)
    except ProbeTimeout:
        if "@" not in path:
            raise
        return fault.said
    return fault.said if len(set(places[-_SAME:])) == 1 else ""


class _Fault(NamedTuple):
    said: str
    place: str


def _fault(host: Host, path: str, end: float) -> _Fault:
    """Return what one verification says is wrong and where in the file, or nothing."""
    left = end - time.monotonic()
    if left <= 0:
        raise ProbeTimeout(f"there was no time to verify {path}")
    answer = host.run(["journalctl", "--verify", f"--file={path}"], timeout=left)
    if answer.rc == 0 and "PASS" not in answer.stdout + answer.stderr:
        raise ProbeError(f"journalctl --verify said nothing of {path}: {answer.stdout[:60]!r}")
    if answer.rc == 0:
        return _Fault("", "")
    text = (answer.stderr or answer.stdout).strip()
    said = text.splitlines()[-1][-200:] if text else f"status {answer.rc}"
    place = re.search(r"corruption detected at .*:([0-9a-f]+) \(of", text)
    return _Fault(said, place.group(1) if place else said)


@probe("journal_upload", source="systemd-analyze cat-config systemd/journal-upload.conf; systemctl show; its cursor")
def journal_upload(host: Host, params: Params) -> dict[str, Any]:
    """Return how the journal leaves the host.

    {url, scheme, authority: bool (the receiver's certificate is checked against a file that exists), certificate: bool
     (the host shows one of its own), key: {mode, owner, group} or null, active: bool, behind_s: seconds between the
     newest entry and the last one sent, null when none was sent}. Absent when no receiver is set.
    """
    settings, _files = cat_config(host, "systemd/journal-upload.conf")
    url = settings.get("URL", "")
    if not url:
        raise Absent("no receiver is set (journal-upload.conf has no URL)")
    trusted, key = settings.get("TrustedCertificateFile", ""), settings.get("ServerKeyFile", "")
    certificate = settings.get("ServerCertificateFile", "")
    return {
        "url": url,
        # Without a scheme the program adds https by itself.
        "scheme": url.partition("://")[0] if "://" in url else "https",
        "authority": bool(trusted) and trusted != "-" and host.exists(trusted),
        "certificate": bool(certificate) and host.exists(certificate),
        "key": describe(host, key) if key and host.exists(key) else None,
        "active": properties(host, _UPLOAD)["ActiveState"] == "active",
        "behind_s": _behind(host),
    }


def cat_config(host: Host, name: str) -> tuple[dict[str, str], list[str]]:
    """Return the settings of a file of systemd with its drop-ins, later ones over earlier ones, and the files."""
    text = host.run(["systemd-analyze", "cat-config", "--no-pager", name]).require_ok().stdout
    settings: dict[str, str] = {}
    files: list[str] = []
    for line in text.splitlines():
        header = re.fullmatch(r"# (/\S+\.conf)", line.strip())
        if header:
            files.append(header.group(1))
        elif line.strip() and line.strip()[0] not in "#;[":
            key, equals, value = (part.strip() for part in line.partition("="))
            if not equals or not key.isidentifier():
                raise ProbeError(f"systemd-analyze cat-config {name} printed what no setting is: {line[:120]!r}")
            settings[key] = value
    return settings, [path for path in files if host.exists(path)]


def _behind(host: Host) -> float | None:
    sent = None
    for path in _CURSORS:
        if host.exists(path):
            sent = re.search(r"^LAST_CURSOR=.*;t=([0-9a-f]+);", host.read_text(path), re.M)
    if sent is None:
        return None
    newest = host.run(["journalctl", "--quiet", "--lines=1", "--output=json"]).require_ok().stdout.strip()
    try:
        at = int(json.loads(newest)["__REALTIME_TIMESTAMP"])
    except (ValueError, KeyError) as error:
        raise ProbeError("journalctl --lines=1 names no time of the newest entry") from error
    return round(max(0.0, (at - int(sent.group(1), 16)) / 1e6), 1)
