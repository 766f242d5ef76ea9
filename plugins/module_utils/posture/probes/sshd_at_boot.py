# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What sshd would be after a restart: whether it starts, with which options, and what would differ from now."""

from __future__ import annotations

import re
import shlex
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.sshd_effective import (
    effective,
    setting_options,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.sshd.effective import parse

# Debian's name, that of others, and the socket that starts a daemon for each connection.
_UNITS = ("ssh.service", "sshd.service", "ssh.socket", "sshd.socket")
_FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system")
_ARGV = re.compile(r"argv\[\]=(.*?) ; ")
_FILE = re.compile(r"(/\S+) \(ignore_errors=(?:yes|no)\)")


@probe("sshd_at_boot", source="systemctl is-enabled and show, sshd -T with the options of the unit")
def sshd_at_boot(host: Host, params: Params) -> dict[str, Any]:
    """Return `{state, unit, options: [], differences: [text]}`.

    `state` is that of the unit that starts sshd, or `disabled` when none does; `options` those that the unit would give
    it and that decide on settings. `differences` are the keywords whose value a restart would change. Absent when sshd
    is not installed.
    """
    if host.which("sshd") is None:
        raise Absent("sshd is not installed")
    unit, state = _unit(host)
    options = setting_options(_argv(host, unit.replace(".socket", ".service")))
    now, later = effective(host, None), parse(host.run(["sshd", "-T", *options]).require_ok().stdout)
    changed = sorted(key for key in {*now, *later} if now.get(key) != later.get(key))
    told = [f"{key}: {_words(now.get(key))} now, {_words(later.get(key))} after a restart" for key in changed]
    return {"state": state, "unit": unit, "options": options, "differences": told}


def _unit(host: Host) -> tuple[str, str]:
    for unit in _UNITS:
        state = host.run(["systemctl", "is-enabled", unit]).stdout.strip()
        # A unit whose alias is all that is left counts as enabled, and nothing wants it at boot.
        wanted = any(host.glob(f"{folder}/*.{kind}/{unit}") for folder in _FOLDERS for kind in ("wants", "requires"))
        if state == "enabled" and wanted:
            return unit, state
    return _UNITS[0], "disabled"


def _argv(host: Host, unit: str) -> list[str]:
    """Return the command line of a unit, the variables of its environment files put in."""
    asked = ["systemctl", "show", "--property=ExecStart,EnvironmentFiles,LoadState", "--", unit]
    shown = host.run(asked).require_ok().stdout
    found = _ARGV.search(shown)
    if found is None:
        raise ProbeError(f"{unit} has no ExecStart that can be read: {shown.strip()[:200]!r}")
    variables: dict[str, str] = {}
    for path in _FILE.findall(shown):
        variables.update(_environment(host, path))
    words: list[str] = []
    for word in found.group(1).split():
        name = word.strip("${}")
        words += shlex.split(variables.get(name, "")) if word.startswith("$") else [word]
    return words


def _environment(host: Host, path: str) -> dict[str, str]:
    try:
        text = host.read_text(path)
    except Absent:
        return {}
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            try:
                found[name] = " ".join(shlex.split(value))
            except ValueError:
                raise ProbeError(f"{path} has the value {value!r}, whose quotes do not match") from None
    return found


def _words(value: Any) -> str:
    return ",".join(str(member) for member in value) if isinstance(value, list) else str(value)
