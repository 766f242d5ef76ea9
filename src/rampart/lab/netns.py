# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The lab's network: a bridge in a namespace that a holder process keeps, and a cable from it to each host.

No namespace is mounted anywhere and nothing is added to the machine's own network: all of it ends with its processes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rampart.lab.plan import HostPlan, LabPlan
from rampart.lab.processes import ProcessId, spawn
from rampart.lab.tools import run, tool

_BRIDGE = "br0"


def open_bridge(plan: LabPlan, log: Path, record: Callable[[ProcessId], None]) -> ProcessId:
    """Start the holder and lay the bridge; the controller's end has the first address of the network."""
    holder = spawn(["sleep", "infinity"], log, record, wrapper=[tool("unshare"), "--net"])
    lines = (
        "link set lo up",
        f"link add {_BRIDGE} type bridge forward_delay 0",
        f"address add {plan.controller}/{plan.prefix} dev {_BRIDGE}",
        f"link set {_BRIDGE} up",
        # A host that asks for the outside gets an answer at once instead of waiting for none.
        "route add unreachable default",
    )
    _in_network(holder, ["ip", "-batch", "-"], "\n".join(lines))
    _in_network(holder, ["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"])
    return holder


def set_link(holder: ProcessId, host: HostPlan, up: bool) -> None:
    """Plug a host's cable in, or pull it."""
    _in_network(holder, ["ip", "link", "set", _port(host), "up" if up else "down"])


def plug(holder: ProcessId, process: ProcessId, host: HostPlan, plan: LabPlan) -> None:
    """Join the host's namespace to the lab's bridge. The pair vanishes with the host's namespace."""
    port = _port(host)
    _in_network(
        holder,
        ["ip", "-batch", "-"],
        "\n".join(
            (
                f"link add {port} type veth peer name eth0 address {host.mac} netns {process.pid}",
                f"link set {port} master {_BRIDGE} up",
            )
        ),
    )
    _in_network(
        process,
        ["ip", "-batch", "-"],
        "\n".join(
            (
                "link set lo up",
                f"address add {host.address}/{plan.prefix} dev eth0",
                "link set eth0 up",
                f"route add default via {plan.controller}",
            )
        ),
    )


def _port(host: HostPlan) -> str:
    return f"port{host.index}"


def _in_network(process: ProcessId, argv: list[str], lines: str = "") -> None:
    run([tool("nsenter"), f"--net=/proc/{process.pid}/ns/net", *argv], stdin=lines.encode())
