# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A learning Ethernet switch over Unix datagram sockets: one isolated segment for each socket that it is told to open.

Runs as a program of its own: `python qemu_switch.py SOCKET...`. A machine's interface sends each frame as one datagram
from a socket of its own; nothing here touches an interface of this machine, so no frame can leave it.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

_FRAME_MAX = 1 << 17
_HEADER = 14  # two addresses and the type (IEEE 802.3)
_GROUP = 0x01  # of the first octet: broadcast or multicast
_PORTS_MAX = 1024


class Segment:
    """One broadcast domain. A port is the path of the peer's socket, and exists once it sent a frame."""

    def __init__(self, path: str) -> None:
        Path(path).unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.setblocking(False)
        self._ports: dict[bytes, str] = {}

    def forward(self) -> None:
        """Take one frame and pass it on; drop it where a receiver is gone or full, as a switch does."""
        frame, sender = self.socket.recvfrom(_FRAME_MAX)
        if len(frame) < _HEADER or not sender:
            return
        for port in self.receivers(frame, sender):
            with contextlib.suppress(OSError):
                self.socket.sendto(frame, port)

    def receivers(self, frame: bytes, sender: str) -> list[str]:
        """Learn the source address of a frame; return the ports it goes to."""
        destination, source = frame[:6], frame[6:12]
        if not source[0] & _GROUP and len(self._ports) < _PORTS_MAX:
            self._ports[source] = sender
        known = None if destination[0] & _GROUP else self._ports.get(destination)
        ports = [known] if known else sorted(set(self._ports.values()))
        return [port for port in ports if port != sender]


def main(paths: Sequence[str]) -> None:
    """Serve for ever."""
    selector = selectors.DefaultSelector()
    for path in paths:
        segment = Segment(path)
        selector.register(segment.socket, selectors.EVENT_READ, segment)
    while True:
        for key, _ in selector.select():
            with contextlib.suppress(BlockingIOError):
                key.data.forward()


if __name__ == "__main__":
    main(sys.argv[1:])
