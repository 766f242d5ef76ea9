# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A decision becomes a ban of the kernel that ends, and the operator's address never does."""

from __future__ import annotations

import time

from testinfra.host import Host

STRANGER = "203.0.113.99"


def holds(host: Host, address: str, wanted: bool) -> bool:
    end = time.monotonic() + 45
    while time.monotonic() < end:
        if (address in host.check_output("nft list set inet rampart_ids banned4")) is wanted:
            return True
        time.sleep(1)
    return False


def test_a_decision_is_in_the_kernel_and_ends(host: Host) -> None:
    host.check_output(f"cscli decisions add --ip {STRANGER} --duration 20s")
    assert holds(host, STRANGER, wanted=True)
    assert holds(host, STRANGER, wanted=False)


def test_the_operator_is_spared(host: Host) -> None:
    operator = host.check_output("head -1 /etc/rampart/intrusion-detection/allowed").removesuffix("/32")
    host.check_output(f"cscli decisions add --ip {operator} --duration 15s")
    time.sleep(12)
    assert operator not in host.check_output("nft list set inet rampart_ids banned4")


def test_the_engine_listens_on_loopback(host: Host) -> None:
    lines = [line for line in host.check_output("ss -Htlnp").splitlines() if '"crowdsec"' in line]
    assert lines
    assert all(line.split()[3].startswith("127.0.0.1:") for line in lines), lines
