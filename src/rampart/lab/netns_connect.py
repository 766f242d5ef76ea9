# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""ssh's ProxyCommand: open a TCP socket inside the lab's network namespace and pass the descriptor (ProxyUseFdpass).

Usage: netns_connect.py HOLDER.json ADDRESS PORT; HOLDER.json is {"pid", "started"} of the process that keeps the
namespace. It runs once a connection under `python3 -I -S` of any version from 3.9, so it imports few, small modules.
"""

from __future__ import annotations

import array
import ctypes
import json
import os
import signal
import socket
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h
CLONE_NEWNET = 0x40000000  # linux/sched.h
CONNECT_S = 10.0


def main(argv: list[str]) -> None:
    holder, address, port = argv
    namespace = open_namespace(holder)
    if namespace is None:
        sys.exit(f"the lab's network is gone ({holder}); run: rampart lab up")
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns came with Python 3.12
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # no ssh, no need to go on trying
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        sys.exit(f"setns: {os.strerror(ctypes.get_errno())}; only root can reach the lab's hosts")
    try:
        connection = socket.create_connection((address, int(port)), timeout=CONNECT_S)
    except OSError as exc:
        sys.exit(f"connect to {address} port {port}: {exc}")
    connection.setblocking(True)
    with socket.socket(fileno=os.dup(1)) as channel:
        rights = array.array("i", [connection.fileno()])
        channel.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


def open_namespace(holder: str) -> int | None:
    """A descriptor of the holder's network namespace; None when the process has ended, or its pid was reused."""
    try:
        process = json.loads(read(holder))
        namespace = os.open(f"/proc/{process['pid']}/ns/net", os.O_RDONLY)
        started = int(read(f"/proc/{process['pid']}/stat").rpartition(")")[2].split()[19])
    except (OSError, ValueError, KeyError):
        return None
    return namespace if started == process["started"] else None


def read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as source:  # noqa: PTH123  pathlib takes 10 ms to import
        return source.read()


if __name__ == "__main__":
    main(sys.argv[1:])
