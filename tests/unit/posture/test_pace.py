# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Limits fit slow machines, and a hang on a normal one still ends soon."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError, ProbeTimeout
from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import LocalHost
from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import Request, measure
from ansible_collections.rampart.fleet.plugins.module_utils.posture.pace import pace
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import ProbeKind


def clock(*took: float) -> Callable[[], float]:
    """A clock by which processes take these seconds."""
    readings = iter(chain.from_iterable((10.0 * number, 10.0 * number + each) for number, each in enumerate(took)))
    return lambda: next(readings)


@pytest.mark.parametrize(
    ("took", "wanted"),
    [
        ((0.002, 0.003, 0.002), 1.0),
        ((0.4, 0.004, 0.3), 1.0),
        ((0.09, 0.07, 0.12), 7.0),
        ((3.0, 3.0, 3.0), 10.0),
    ],
)
def test_the_best_of_three_starts_counts_within_bounds(took: tuple[float, ...], wanted: float) -> None:
    assert pace(lambda: None, clock(*took)) == pytest.approx(wanted)


@pytest.mark.parametrize(("raised", "wanted"), [(ProbeTimeout("late"), 10.0), (ProbeError("no such file"), 1.0)])
def test_a_host_that_starts_no_process_has_a_pace_too(raised: Exception, wanted: float) -> None:
    def start() -> None:
        raise raised

    assert pace(start) == wanted


def test_this_machine_has_a_pace() -> None:
    assert 1.0 <= pace() <= 10.0


def test_a_slow_host_has_longer_limits_for_its_commands(tmp_path: Path) -> None:
    script = tmp_path / "tool"
    script.write_text("#!/bin/sh\nsleep 0.4\n")
    script.chmod(0o755)
    folders = [str(tmp_path), "/usr/bin", "/bin"]
    with pytest.raises(ProbeTimeout):
        LocalHost(search_path=folders).run(["tool"], timeout=0.1)
    assert LocalHost(search_path=folders, pace=10.0).run(["tool"], timeout=0.5).rc == 0


def test_a_slow_host_has_longer_limits_for_its_probes_and_a_hang_ends_all_the_same() -> None:
    def slow(host: object, params: object) -> bool:
        time.sleep(0.9)
        return True

    def hangs(host: object, params: object) -> bool:
        time.sleep(5)
        return True

    kinds = {"slow": ProbeKind("slow", slow), "hangs": ProbeKind("hangs", hangs)}
    requests = [Request(name, name, {}, 0.2) for name in kinds]
    normal = measure(LocalHost(), requests[:1], kinds, 5.0)
    emulated = measure(LocalHost(pace=6.0), requests, kinds, 30.0)
    assert normal["slow"].status == "timeout"
    assert {name: found.status for name, found in emulated.items()} == {"slow": "ok", "hangs": "timeout"}
