# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""How long it takes inside the module to understand a host of eight GPUs: a figure, of which nothing is asserted."""

from __future__ import annotations

import time

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.gather import gather
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host

from tests.recordings.hosts import Machine
from tests.recordings.nvidia import NvidiaNode

ROUNDS = 20


def milliseconds(host: Host) -> float:
    """Processor time of one run."""
    started = time.process_time()
    gather(host, 24, diagnostics=False)
    return (time.process_time() - started) * 1000


@pytest.mark.parametrize("clocks", [100, 1500], ids=["short list of clocks", "long list of clocks"])
def test_gpu_info(clocks: int) -> None:
    node = NvidiaNode(clocks_listed=clocks)
    times = sorted(milliseconds(Machine(node).host()) for _round in range(ROUNDS))
    print(
        f"\ngpu_info, 8 GPUs, {len(node.xml()) // 1024} KiB of XML: "
        f"median {times[ROUNDS // 2]:.1f} ms, worst of {ROUNDS} {times[-1]:.1f} ms of processor time"
    )
