# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""How long a host of eight GPUs takes inside the modules: figures, of which nothing is asserted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.gather import gather
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import Request, measure
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import params_of, probe_key
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes import kinds
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture import catalogue

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


def test_the_controls_of_the_role() -> None:
    root = Path(__file__).parents[2]
    entries = catalogue.load([each for each in catalogue.sources(root) if each.role == "gpu"]).entries
    probes = {probe_key(probe): probe for entry in entries for probe in entry.control["probes"]}
    requests = [Request(key, probe["kind"], params_of(probe), 40) for key, probe in probes.items()]
    times = []
    for _round in range(ROUNDS):
        host, started = Machine().host(), time.process_time()
        measure(host, requests, kinds(), 60)
        times.append((time.process_time() - started) * 1000)
    times.sort()
    print(
        f"\n{len(requests)} probes of {len(entries)} controls, 8 GPUs: median {times[ROUNDS // 2]:.1f} ms, "
        f"worst of {ROUNDS} {times[-1]:.1f} ms of processor time"
    )
