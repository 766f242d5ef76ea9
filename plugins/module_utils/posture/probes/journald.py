# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The journal as the running systemd-journald keeps it: where it writes, within which limits, sealed or not."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

# SD_MESSAGE_JOURNAL_USAGE of systemd: what journald says about its own limits whenever it opens a journal.
_USAGE_MESSAGE = "ec387f577b844b8fa948f33cad9a75e6"
_PERSISTENT = "/var/log/journal/"


@probe("journald", source="/proc/<journald>/fd; journalctl --header; journalctl MESSAGE_ID=journal usage")
def journald(host: Host, params: Params) -> dict[str, Any]:
    """Return how the journal is kept.

    {persistent: bool (the running journald holds a file below /var/log/journal open), open_files: [paths],
     sealing_key: bool (this machine has an FSS key), sealed, compressed: bool (of the system journal that is written),
     limits: {max_use, limit (max_use or less, as the disk allows), keep_free, disk_available: bytes or null},
     disk_use: bytes}. Absent when journald does not run.
    """
    open_files = _open_files(host, _main_pid(host))
    header = parse_header(host.run(["journalctl", "--header"]).require_ok().stdout)
    current = _current_flags(header, open_files)
    return {
        "persistent": any(path.startswith(_PERSISTENT) for path in open_files),
        "open_files": open_files,
        "sealing_key": bool(host.glob(_PERSISTENT + "*/fss")),
        "sealed": "SEALED" in current,
        "compressed": any(flag.startswith("COMPRESSED-") for flag in current),
        "limits": _limits(host),
        "disk_use": sum(entry["size"] for entry in header),
    }


def parse_header(text: str) -> list[dict[str, Any]]:
    """Return the files of `journalctl --header`: [{path, flags: [..], size: bytes}]."""
    files: list[dict[str, Any]] = []
    for line in text.splitlines():
        name, _unused, value = (part.strip() for part in line.partition(":"))
        if name in ("File path", "File Path"):
            files.append({"path": value, "flags": [], "size": 0})
        elif files and name in ("Compatible flags", "Incompatible flags", "Compatible Flags", "Incompatible Flags"):
            files[-1]["flags"] += value.split()
        elif files and name in ("Disk usage", "Disk Usage"):
            files[-1]["size"] = parse_size(value)
    return files


def parse_size(text: str) -> int:
    """Return a size as systemd prints it (`8.0M`, `512.0K`, `123B`) in bytes; 0 when it is none."""
    units = {"B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
    number, unit = text.strip()[:-1], text.strip()[-1:]
    try:
        return round(float(number) * units[unit])
    except (KeyError, ValueError):
        return 0


def _main_pid(host: Host) -> str:
    answer = host.run(["systemctl", "show", "--property=MainPID", "--value", "systemd-journald.service"]).require_ok()
    pid = answer.stdout.strip()
    if pid and not pid.isdigit():
        raise ProbeError(f"systemctl said that the main process of systemd-journald is {pid[:60]!r}, wanted a number")
    if pid in ("", "0"):
        raise Absent("systemd-journald has no main process")
    return pid


def _open_files(host: Host, pid: str) -> list[str]:
    folder = f"/proc/{pid}/fd"
    targets = set()
    for number in host.listdir(folder):
        try:
            targets.add(host.readlink(f"{folder}/{number}"))
        except Absent:
            continue
    return sorted(target for target in targets if target.endswith(".journal"))


def _current_flags(header: list[dict[str, Any]], open_files: list[str]) -> list[str]:
    written = [entry for entry in header if entry["path"] in open_files and entry["path"].endswith("/system.journal")]
    return [flag for entry in written for flag in entry["flags"]]


def _limits(host: Host) -> dict[str, Any]:
    argv = ["journalctl", "--quiet", "--boot", "--output=json", "MESSAGE_ID=" + _USAGE_MESSAGE]
    answer = host.run([*argv, "_TRANSPORT=driver"]).require_ok()
    entries = [_entry(line) for line in answer.stdout.splitlines() if line.strip()]
    said = [entry for entry in entries if str(entry.get("JOURNAL_PATH", "")).startswith(_PERSISTENT)]
    last = said[-1] if said else {}
    names = {"max_use": "MAX_USE", "limit": "LIMIT", "keep_free": "DISK_KEEP_FREE", "disk_available": "DISK_AVAILABLE"}
    return {name: _bytes(last.get(field)) for name, field in names.items()}


def _entry(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise ProbeError(f"journalctl --output=json printed a line that is not JSON: {line:.80}") from error
    return entry if isinstance(entry, dict) else {}


def _bytes(value: Any) -> Any:
    return int(value) if str(value).isdigit() else None
