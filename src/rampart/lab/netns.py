# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The lab's network: a bridge in a namespace that a holder process keeps, and a cable from it to each host.

No namespace is mounted anywhere and nothing is added to the machine's own network: all of it ends with its processes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rampart.lab.plan import HostPlan, LabPlan
from rampart.lab.processes import ProcessId, spawn
from rampart.lab.tools import run, tool

_BRIDGE = "br0"


def open_bridge(
    plan: LabPlan, log: Path, record: Callable[[ProcessId], None], wrapper: Sequence[str] = ()
) -> ProcessId:
    """Start the holder and lay the bridge; the controller's end has the first address of the network.

    `wrapper` is a command that becomes what follows it.
    """
    holder = spawn(["sleep", "infinity"], log, record, wrapper=[*wrapper, tool("unshare"), "--net"])
    lines = (
        "link set lo up",
        f"link add {_BRIDGE} type bridge forward_delay 0",
        f"address add {plan.controller}/{plan.prefix} dev {_BRIDGE}",
        f"link set {_BRIDGE} up",
        # A host that asks for the outside gets an answer at once instead of waiting for none.
        "route add unreachable default",
    )
    for line in lines:
        _in_network(holder, ["ip", *line.split()])
    _in_network(holder, ["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"])
    return holder


def set_link(holder: ProcessId, host: HostPlan, up: bool) -> None:
    """Plug a host's cable in, or pull it."""
    _in_network(holder, ["ip", "link", "set", _port(host), "up" if up else "down"])


def plug_script(holder: ProcessId, host: HostPlan, plan: LabPlan) -> str:
    """Shell commands that join the namespace they run in to the bridge. The pair vanishes with the host's namespace."""
    port = _port(host)
    enter = f"nsenter --net=/proc/{holder.pid}/ns/net"
    # After a reboot the kernel may still be taking the old namespace, and the old pair with it, apart.
    return f"""
{enter} ip link delete {port} 2>/dev/null || true
{enter} ip link add {port} type veth peer name eth0 address {host.mac} netns $$
{enter} ip link set {port} master {_BRIDGE} up
ip link set lo up
ip address add {host.address}/{plan.prefix} dev eth0
ip link set eth0 up
ip route add default via {plan.controller}
"""


def _port(host: HostPlan) -> str:
    return f"port{host.index}"


def _in_network(process: ProcessId, argv: list[str]) -> None:
    run([tool("nsenter"), f"--net=/proc/{process.pid}/ns/net", *argv])
