# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The packet filter as the kernel has it and as the network sees it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from typing import Any

from testinfra.host import Host

from rampart.lab.state import Paths

CHECKOUT = hashlib.sha256(os.environ["MOLECULE_PROJECT_DIRECTORY"].encode()).hexdigest()
LAB = f"mol-{os.environ['MOLECULE_SCENARIO_NAME'].replace('_', '-')}-{CHECKOUT[:6]}"


def connect(port: int) -> str:
    """What an ssh client on the controller's side of the lab's network says about a port of the host."""
    config = Paths.from_environment().lab(LAB).ssh_config
    done = subprocess.run(
        ["ssh", "-v", "-F", str(config), "-o", "ConnectTimeout=4", "-p", str(port), "host1", "true"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stderr if done.returncode else "connected"


def chains(host: Host) -> list[dict[str, Any]]:
    found = json.loads(host.check_output("nft -j list chains"))["nftables"]
    return [item["chain"] for item in found if "chain" in item]


def test_what_is_not_allowed_is_dropped(host: Host) -> None:
    (chain,) = [each for each in chains(host) if each["table"] == "rampart" and each.get("hook") == "input"]
    assert chain["policy"] == "drop"


def test_ssh_gets_through_and_an_open_port_does_not(host: Host) -> None:
    assert connect(22) == "connected"
    assert host.socket("tcp://0.0.0.0:9999").is_listening
    answer = host.run("curl --silent --max-time 5 http://127.0.0.1:9999/ || python3 -c %s", LOOPBACK)
    assert answer.rc == 0, "the listener must answer on loopback, or the next line proves nothing"
    outside = connect(9999)
    assert outside != "connected"
    assert "Invalid" not in outside and "banner" not in outside, "the port answered from outside"


LOOPBACK = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9999/', timeout=5).read()"


def test_the_neighbours_table_is_still_there(host: Host) -> None:
    assert any(each["table"] == "neighbour" and each["name"] == "watch" for each in chains(host))


def test_the_filter_comes_back_at_boot(host: Host) -> None:
    assert host.check_output("systemctl is-enabled rampart-firewall.service") == "enabled"
    host.check_output("nft delete table inet rampart")
    assert not [each for each in chains(host) if each["table"] == "rampart"]
    host.check_output("systemctl restart rampart-firewall.service")
    assert [each for each in chains(host) if each["table"] == "rampart" and each.get("policy") == "drop"]


def test_replies_to_what_the_host_began_come_in(host: Host) -> None:
    accepting = host.check_output("nft list table inet rampart")
    assert "established" in accepting
