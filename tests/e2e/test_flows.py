# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the filter is meant to let in gets in, and nothing else: real connections between the hosts of the fleet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .fleet import Fleet

pytestmark = pytest.mark.lab

# gpu1 serves inference to the gateways, gpu2 trains with the hosts of group gpu.
SERVICES = {"gpu1": (8000, 9400), "gpu2": (29500, 40000)}
FLOWS = [
    ("gateway1", "gpu1", 8000, True),
    ("gpu2", "gpu1", 8000, False),
    ("store1", "gpu1", 8000, False),
    ("gateway1", "gpu1", 9400, False),
    ("gpu1", "gpu2", 29500, True),
    ("gpu1", "gpu2", 40000, True),
    ("gateway1", "gpu2", 29500, False),
    ("store1", "gpu2", 40000, False),
    ("store1", "gpu1", 22, True),
]
LISTEN = """
import socket, threading
for port in {ports}:
    server = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    threading.Thread(target=lambda s=server: [s.accept()[0].close() for _ in iter(int, 1)]).start()
"""
KNOCK = """
import socket, sys
try:
    socket.create_connection(("{address}", {port}), 2).close()
except OSError as error:
    print(type(error).__name__)
else:
    print("open")
"""


@pytest.fixture(scope="module")
def served(fleet: Fleet) -> Iterator[Fleet]:
    """The fleet with a listener on every port that is knocked at."""
    for host, ports in SERVICES.items():
        script = LISTEN.format(ports=ports)
        fleet.shell(host, f"systemd-run -q --unit flows-listener python3 -c '{script}'; sleep 1")
    yield fleet
    for host in SERVICES:
        fleet.shell(host, "systemctl stop flows-listener")


@pytest.mark.parametrize(("source", "to", "port", "allowed"), FLOWS, ids=[f"{a}-{b}-{c}" for a, b, c, _ in FLOWS])
def test_a_flow_is_let_in_or_not(served: Fleet, source: str, to: str, port: int, allowed: bool) -> None:
    addresses = served.addresses()
    if source not in addresses:
        pytest.skip(f"the lab has no host {source}")
    script = KNOCK.format(address=addresses[to], port=port)
    answer = served.shell(source, f"python3 -c '{script}'").strip()
    assert answer == ("open" if allowed else "TimeoutError")
