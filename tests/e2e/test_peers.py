# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Peers that do not answer: the host is measured all the same, the next peer looks, and nobody waits for long."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from .fleet import Fleet, said_of_failure

pytestmark = pytest.mark.lab

HOST = "gpu1"
# Nobody listens there, so that the connection is refused at once.
NOBODY = 9
PATIENCE_S = 120.0


def without(fleet: Fleet, lost: list[str], folder: Path) -> Fleet:
    """The same lab by an inventory in which some of its hosts do not answer."""
    inventory = yaml.safe_load(fleet.inventory.read_text())
    for name in lost:
        inventory["all"]["children"]["rampart"]["hosts"][name]["ansible_port"] = NOBODY
    path = folder / "inventory.yml"
    path.write_text(yaml.safe_dump(inventory))
    return Fleet(fleet.lab, path, folder, fleet.settings)


def in_turn(fleet: Fleet) -> list[str]:
    """The other hosts in the order in which they are asked to look."""
    names = list(fleet.modes())
    start = names.index(HOST) + 1
    return [*names[start:], *names[: start - 1]]


def seen_of(fleet: Fleet) -> dict[str, dict[str, str]]:
    """Measure the host and return what others saw of it."""
    started = time.monotonic()
    done = fleet.playbook("verify", "--limit", HOST)
    assert time.monotonic() - started < PATIENCE_S
    assert done.returncode == 0, said_of_failure(done)
    (host,) = fleet.report()["hosts"]
    assert (host["state"], host["counts"].get("error", 0)) == ("measured", 0)
    return {key: told for key, told in host["observations"].items() if key.startswith("vantage:")}


def test_a_host_whose_peers_do_not_answer_is_measured_and_the_report_says_who_was_silent(
    fleet: Fleet, tmp_path: Path
) -> None:
    silent = in_turn(fleet)
    seen = seen_of(without(fleet, silent, tmp_path))
    assert seen
    assert {told["status"] for told in seen.values()} == {"absent"}
    assert {told["reason"] for told in seen.values()} == {
        f"no vantage point: no answer from {' and '.join(silent[:2])}"
    }


def test_the_next_peer_looks_when_the_first_does_not_answer(fleet: Fleet, tmp_path: Path) -> None:
    others = in_turn(fleet)
    if len(others) < 2:
        pytest.skip("the lab has one other host only")
    seen = seen_of(without(fleet, others[:1], tmp_path))
    assert seen["vantage:ssh_offer"]["status"] == "ok"
