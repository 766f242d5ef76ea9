# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""TCP connections to many ports at once, bounded in number and time, and nothing sent over them."""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections.abc import Iterable, Sequence

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError

OPEN, CLOSED, FILTERED = "open", "closed", "filtered"
MAX_PORTS = 4096
_AT_ONCE = 256
# Two tries: the kernel repeats a lost SYN only after a second, and a lost packet must not hide an open port.
_TRIES = 2
# Local errors that say that no packet came back, or none could leave.
_SILENT = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT, errno.EACCES, errno.EPERM, errno.ENETDOWN)


def dial(address: str, ports: Iterable[int], wait_s: float = 0.35) -> dict[int, str]:
    """Return `open`, `closed` or `filtered` (no answer) for each port. Raises ProbeError.

    `wait_s` is for each of two tries; an answer ends it.
    """
    left = sorted(set(ports))
    if len(left) > MAX_PORTS:
        raise ProbeError(f"{len(left)} ports were asked for, wanted {MAX_PORTS} at most")
    where = resolve(address)
    found: dict[int, str] = {}
    for _try in range(_TRIES):
        for start in range(0, len(left), _AT_ONCE):
            found.update(_round(where, left[start : start + _AT_ONCE], wait_s))
        left = [port for port in left if found[port] == FILTERED]
    return found


def resolve(address: str) -> tuple[int, tuple[str, int, int, int]]:
    """Return the address family and (address, 0, 0, scope) of an address or name. Raises ProbeError."""
    try:
        family, _kind, _proto, _name, place = socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ProbeError(f"{address} is not an address and does not resolve here: {error}") from None
    scope = int(place[3]) if len(place) == 4 else 0
    return int(family), (str(place[0]), 0, 0, scope)


def _round(where: tuple[int, tuple[str, int, int, int]], ports: Sequence[int], wait_s: float) -> dict[int, str]:
    found = dict.fromkeys(ports, FILTERED)
    waiting: dict[socket.socket, int] = {}
    with selectors.DefaultSelector() as selector:
        try:
            for port in ports:
                _start(where, port, selector, waiting, found)
            end = time.monotonic() + wait_s
            while waiting and time.monotonic() < end:
                for key, _events in selector.select(max(0.0, end - time.monotonic())):
                    one = key.fileobj
                    if isinstance(one, socket.socket):
                        selector.unregister(one)
                        found[waiting.pop(one)] = _state(one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
                        one.close()
        finally:
            for one in waiting:
                one.close()
    return found


def _start(
    where: tuple[int, tuple[str, int, int, int]],
    port: int,
    selector: selectors.BaseSelector,
    waiting: dict[socket.socket, int],
    found: dict[int, str],
) -> None:
    family, (host, _port, flow, scope) = where
    one = socket.socket(family, socket.SOCK_STREAM)
    one.setblocking(False)
    code = one.connect_ex((host, port, flow, scope) if family == socket.AF_INET6 else (host, port))
    if code in (errno.EINPROGRESS, errno.EWOULDBLOCK):
        selector.register(one, selectors.EVENT_WRITE)
        waiting[one] = port
        return
    one.close()
    found[port] = _state(code)


def _state(code: int) -> str:
    if code == 0:
        return OPEN
    if code in (errno.ECONNREFUSED, errno.ECONNRESET):
        return CLOSED
    if code in _SILENT:
        return FILTERED
    raise ProbeError(f"a connection ended with {errno.errorcode.get(code, str(code))}, wanted an answer or none")
