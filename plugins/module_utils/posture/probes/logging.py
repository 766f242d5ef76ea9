# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Where logs leave and enter the host, from the sockets that log programs really hold."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_PROGRAMS = ("rsyslogd", "syslog-ng", "systemd-journal", "fluent-bit", "vector", "td-agent", "promtail", "filebeat")
# syslog, and the port of systemd-journal-remote: who listens there takes logs from others.
_RECEIVER_PORTS = (514, 601, 6514, 19532)


@probe("logging", source="ss -tunap")
def logging(host: Host, params: Params) -> dict[str, list[dict[str, Any]]]:
    """Return {forwarders: [{process, proto, address, port}], receivers: [the same, of the listening side]}.

    A forwarder is a connection of a log program to another host; a receiver listens for logs on an address that is not
    loopback. Whole sockets only: a UDP forwarder that has not connected its socket cannot be told from an idle one.
    """
    # With its header, so that an answer without a socket is one all the same.
    heading, *lines = host.run(["ss", "-n", "-t", "-u", "-a", "-p"]).require_ok().stdout.splitlines() or [""]
    if not heading.startswith("Netid"):
        raise ProbeError(f"ss printed no table of sockets: {heading[:60]!r}")
    sockets = [found for line in lines if (found := parse_socket(line))]
    return {
        "forwarders": [_end(entry, "peer") for entry in sockets if _forwards(entry)],
        "receivers": [_end(entry, "local") for entry in sockets if _receives(entry)],
    }


def parse_socket(line: str) -> dict[str, Any] | None:
    """Return {proto, state, local: (address, port), peer, process} of a line of ss, or None when it is none."""
    words = line.split()
    if len(words) < 6:
        return None
    name = re.search(r'users:\(\("([^"]+)"', line)
    return {
        "proto": words[0],
        "state": words[1],
        "local": _address(words[4]),
        "peer": _address(words[5]),
        "process": name.group(1) if name else "",
    }


def _address(text: str) -> tuple[str, int]:
    address, _unused, port = text.rpartition(":")
    return (address.split("%")[0].strip("[]"), int(port) if port.isdigit() else 0)


def _forwards(entry: dict[str, Any]) -> bool:
    program = any(entry["process"].startswith(name[:15]) for name in _PROGRAMS)
    return program and entry["state"] in ("ESTAB", "SYN-SENT") and not _loopback(entry["peer"][0])


def _receives(entry: dict[str, Any]) -> bool:
    listens = entry["state"] in ("LISTEN", "UNCONN") and not _loopback(entry["local"][0])
    return listens and entry["local"][1] in _RECEIVER_PORTS


def _loopback(address: str) -> bool:
    return address == "::1" or address.startswith(("127.", "::ffff:127."))


def _end(entry: dict[str, Any], side: str) -> dict[str, Any]:
    address, port = entry[side]
    return {"process": entry["process"], "proto": entry["proto"], "address": address, "port": port}
