# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The audit daemon: the settings that it runs with, and who may touch its records, settings and tools."""

from __future__ import annotations

import json
import posixpath
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.files import describe, described
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.process_start import started
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_CONF = "/etc/audit/auditd.conf"
# What auditd assumes of a key that the file does not have (clear_config of audit-userspace).
_DEFAULTS: dict[str, Any] = {
    "local_events": "yes",
    "write_logs": "yes",
    "log_file": "/var/log/audit/audit.log",
    "log_format": "raw",
    "flush": "none",
    "freq": 0,
    "num_logs": 0,
    "max_log_file": 0,
    "max_log_file_action": "ignore",
    "space_left": 0,
    "space_left_action": "ignore",
    "admin_space_left": 0,
    "admin_space_left_action": "ignore",
    "disk_full_action": "ignore",
    "disk_error_action": "syslog",
    "overflow_action": "syslog",
    "tcp_listen_port": 0,
    "name_format": "none",
}
_STOPS = ("halt", "single")
_TOOLS = ("auditctl", "aureport", "ausearch", "autrace", "auditd", "augenrules")


@probe("auditd_settings", source="/etc/audit/auditd.conf; start and reloads of auditd")
def auditd_settings(host: Host, params: Params) -> dict[str, Any]:
    """Return the settings that auditd holds, and whether it does.

    {settings: {key: text in lower case or number; auditd's own default when it is not set}, stops_host: [keys whose
     action halts the host or takes it to single-user mode], current: bool (the running daemon has read the file as it
     stands)}. auditd tells nobody its settings, so `current` says whether the file is what it runs with; a daemon that
    does not run has read nothing. Absent when there is no file.
    """
    settings = {**_DEFAULTS, **parse_settings(host.read_text(_CONF))}
    return {
        "settings": settings,
        "stops_host": sorted(key for key, value in settings.items() if key.endswith("_action") and value in _STOPS),
        "current": _current(host),
    }


@probe("audit_files", source="stat of auditd's log folder, /etc/audit and its tools")
def audit_files(host: Host, params: Params) -> dict[str, Any]:
    """Return {directory, logs, config, tools}: a file, and lists of files, as probe `file` has them with `path`.

    The logs are where auditd.conf says. Absent when auditd has no settings; a tool that is not installed is left out.
    """
    settings = {**_DEFAULTS, **parse_settings(host.read_text(_CONF))}
    folder = posixpath.dirname(str(settings["log_file"]))
    config = ("/etc/audit/*.conf", "/etc/audit/*.rules", "/etc/audit/rules.d/*.rules", "/etc/audit/plugins.d/*.conf")
    return {
        "directory": {"path": folder, **describe(host, folder)},
        "logs": described(host, host.glob(f"{folder}/*")),
        "config": described(host, [path for pattern in config for path in host.glob(pattern)]),
        "tools": described(host, [f"/usr/sbin/{name}" for name in _TOOLS]),
    }


def parse_settings(text: str) -> dict[str, Any]:
    """Return the keys of an auditd.conf in lower case; numbers as such, words in lower case, paths as they are."""
    found: dict[str, Any] = {}
    for line in text.splitlines():
        name, equals, value = (part.strip() for part in line.partition("="))
        if equals and not name.startswith("#"):
            found[name.lower()] = int(value) if value.isdigit() else value if "/" in value else value.lower()
    return found


def _current(host: Host) -> bool:
    """Say whether auditd started, or was told to read its settings again, after the file was written last."""
    written = host.stat(_CONF).mtime
    try:
        begun = started(host, "auditd.service")
    except Absent:
        return False
    # Time stamps of the kernel's clock tick and of the file system are coarse.
    return max(begun, _last_reload(host)) >= written - 1


def _last_reload(host: Host) -> float:
    argv = ["journalctl", "--quiet", "--boot", "--output=json", "--lines=200", "_COMM=auditd"]
    said = host.run(argv).require_ok().stdout
    try:
        entries = [json.loads(line) for line in said.splitlines() if line.strip()]
    except ValueError as error:
        raise ProbeError("journalctl --output=json printed a line that is not JSON") from error
    times = [
        int(entry["__REALTIME_TIMESTAMP"]) / 1e6
        for entry in entries
        if str(entry.get("MESSAGE", "")).startswith("config change requested")
    ]
    return max(times, default=0.0)
