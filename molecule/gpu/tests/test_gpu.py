# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The role changes nothing on a host whose GPUs are replayed, and what it looked at is what the tools say."""

from __future__ import annotations

from testinfra.host import Host


def test_the_hardware_is_labelled_as_simulated(host: Host) -> None:
    assert host.file("/run/rampart-lab/simulated-hardware").content_string == "gpu\n"


def test_the_replay_answers_as_the_tool_would(host: Host) -> None:
    said = host.check_output("nvidia-smi -q -x")
    assert said.count("<gpu id=") == 8
    assert host.run("nvidia-smi --reset").rc != 0


def test_nothing_was_changed(host: Host) -> None:
    assert host.file("/dev/nvidia7").mode == 0o660
    assert not host.exists("nvidia-persistenced")
