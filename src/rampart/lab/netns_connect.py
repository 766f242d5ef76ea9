# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""ssh's ProxyCommand: open a TCP socket inside the lab's network namespace and pass the descriptor to ssh (ProxyUseFdpass).

Usage: netns_connect.py HOLDER.json ADDRESS PORT; HOLDER.json is {"pid", "started"} of the process that keeps the namespace.
Runs under `python3 -I -S` of any version from 3.9, so it imports nothing but small built-in modules.
"""

import array
import ctypes
import json
import os
import socket
import sys

CLONE_NEWNET = 0x40000000  # linux/sched.h
CONNECT_S = 10.0


def main(argv):
    holder, address, port = argv
    try:
        with open(holder) as source:
            process = json.load(source)
        namespace = os.open("/proc/%d/ns/net" % process["pid"], os.O_RDONLY)
        with open("/proc/%d/stat" % process["pid"]) as source:
            started = int(source.read().rpartition(")")[2].split()[19])
    except (OSError, ValueError, KeyError):
        started = None
    if started is None or started != process["started"]:
        sys.exit("the lab's network is gone (%s); run: rampart lab up" % holder)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        sys.exit("setns: %s; the lab's hosts can be reached by root only" % os.strerror(ctypes.get_errno()))
    try:
        connection = socket.create_connection((address, int(port)), timeout=CONNECT_S)
    except OSError as exc:
        sys.exit("connect to %s port %s: %s" % (address, port, exc))
    connection.setblocking(True)
    with socket.socket(fileno=os.dup(1)) as channel:
        rights = array.array("i", [connection.fileno()])
        channel.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


if __name__ == "__main__":
    main(sys.argv[1:])
