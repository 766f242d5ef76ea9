# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What an SSH server offers before a login, read from its first packet (RFC 4253, sections 4.2 and 7.1)."""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.target import Target, target_of

_LISTS = (
    "kex", "host_key_algorithms", "ciphers_in", "ciphers_out", "macs_in", "macs_out", "compression_in",
    "compression_out", "languages_in", "languages_out",
)  # fmt: skip
_KEXINIT = 20
_LIMIT = 64 * 1024
_OURS = b"SSH-2.0-Rampart\r\n"
_STRICT = "kex-strict-s-v00@openssh.com"


@dataclass(frozen=True)
class Greeting:
    """The identification of a server and the lists of its KEXINIT."""

    banner: str
    lists: dict[str, list[str]]


@probe("ssh_offer", source="the first SSH packet of {target}")
def ssh_offer(host: Host, params: Params) -> dict[str, Any]:
    """Return `{banner, software, comment, kex, strict_kex, host_key_algorithms, ciphers, macs, compression}`.

    Lists are in the server's order; `kex` is without the markers of extensions, `strict_kex` says whether the server
    refuses a key exchange that somebody in the middle has cut (CVE-2023-48795). Absent when nothing listens.
    """
    greeting = greet(target_of(params))
    lists = greeting.lists
    software, _blank, comment = greeting.banner.partition("-")[2].partition("-")[2].partition(" ")
    return {
        "banner": greeting.banner,
        "software": software,
        "comment": comment,
        "kex": [name for name in lists["kex"] if not name.startswith(("ext-info-", "kex-strict-"))],
        "strict_kex": _STRICT in lists["kex"],
        "host_key_algorithms": lists["host_key_algorithms"],
        "ciphers": _both(lists["ciphers_out"], lists["ciphers_in"]),
        "macs": _both(lists["macs_out"], lists["macs_in"]),
        "compression": _both(lists["compression_out"], lists["compression_in"]),
    }


def greet(target: Target, wait_s: float = 2.0) -> Greeting:
    """Return the greeting of a server. Raises Absent when nothing listens, ProbeError when it does not speak SSH."""
    end = time.monotonic() + wait_s
    try:
        with socket.create_connection((target.address, target.ssh_port), wait_s) as line:
            reader = _Reader(line, end)
            line.sendall(_OURS)
            banner = reader.banner()
            return Greeting(banner, lists_of(reader.packet()))
    except ConnectionRefusedError:
        raise Absent(f"nothing listens on port {target.ssh_port} of {target.address}") from None
    except OSError as error:
        raise ProbeError(f"port {target.ssh_port} of {target.address} gives no SSH greeting: {error}") from None


def lists_of(payload: bytes) -> dict[str, list[str]]:
    """Return the name-lists of a KEXINIT message. Raises ProbeError for another or a malformed message."""
    if len(payload) < 17 or payload[0] != _KEXINIT:
        raise ProbeError(f"the server's first message is {payload[:1].hex() or 'empty'}, wanted KEXINIT (14)")
    found, offset = {}, 17
    for name in _LISTS:
        if offset + 4 > len(payload):
            raise ProbeError(f"KEXINIT of {len(payload)} bytes ends before {name}")
        (length,) = struct.unpack_from(">I", payload, offset)
        offset += 4
        if offset + length > len(payload):
            raise ProbeError(f"KEXINIT of {len(payload)} bytes ends inside {name}")
        text = payload[offset : offset + length].decode("ascii", "replace")
        found[name] = [word for word in text.split(",") if word]
        offset += length
    return found


class _Reader:
    """Bytes of a connection until a moment, and no more than a greeting may have."""

    def __init__(self, line: socket.socket, end: float) -> None:
        self._line, self._end, self._held = line, end, b""

    def banner(self) -> str:
        """Return the identification; a server may send other lines before it."""
        while True:
            while b"\n" not in self._held:
                self._more()
            text, _newline, self._held = self._held.partition(b"\n")
            if text.startswith(b"SSH-"):
                return text.rstrip(b"\r").decode("ascii", "replace")[:255]

    def packet(self) -> bytes:
        """Return the payload of one unencrypted packet."""
        length, padding = struct.unpack(">IB", self._exactly(5))
        if not padding + 1 < length <= _LIMIT:
            raise ProbeError(f"the server's first packet has {length} bytes, wanted {padding + 2} to {_LIMIT}")
        return self._exactly(length - 1)[: length - 1 - padding]

    def _exactly(self, number: int) -> bytes:
        while len(self._held) < number:
            self._more()
        taken, self._held = self._held[:number], self._held[number:]
        return taken

    def _more(self) -> None:
        left = self._end - time.monotonic()
        if left <= 0 or len(self._held) > _LIMIT:
            raise TimeoutError("it says too little in the time given, or too much")
        self._line.settimeout(left)
        got = self._line.recv(8192)
        if not got:
            raise ConnectionError("it closes the connection before its greeting is complete")
        self._held += got


def _both(first: list[str], second: list[str]) -> list[str]:
    return first + [name for name in second if name not in first]
