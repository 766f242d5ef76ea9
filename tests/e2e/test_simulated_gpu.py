# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A lab host answers as a machine of eight GPUs: its controls run end to end, and reports say that it is simulated."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from tests.recordings.nvidia import NvidiaNode
from tests.recordings.replay import program

from .conftest import running_lab
from .fleet import Fleet, ansible, said_of_failure

pytestmark = pytest.mark.lab

HOST = "host1"
MINER = (
    "systemd-run --quiet --unit=updater.service sleep 3600; systemctl show --property=MainPID --value updater.service"
)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One host; each test replays what it needs."""
    with running_lab("gpu", "single", tmp_path_factory.mktemp("gpu")) as fleet:
        yield fleet


def node() -> NvidiaNode:
    return NvidiaNode(clocks_listed=2)


def replay(fleet: Fleet, node: NvidiaNode) -> None:
    fleet.shell(HOST, program(node))


def states(fleet: Fleet) -> dict[str, str]:
    return fleet.states(HOST, roles="gpu")


def test_without_a_gpu_no_control_is_applicable(fleet: Fleet) -> None:
    assert set(states(fleet).values()) == {"not_applicable"}


def test_the_report_of_a_replay_says_so(fleet: Fleet) -> None:
    replay(fleet, node())
    done = fleet.playbook("verify", "-e", '{"rampart_roles": ["gpu"]}', report="replay")
    report = fleet.report("replay")
    (host,) = report["hosts"]
    assert host["context"]["simulated"] == ["gpu"], said_of_failure(done)
    assert host["context"]["workload"]["gpu"] == ["nvidia"]
    assert 'name="simulated" value="gpu"' in (fleet.reports / "replay" / "posture.xml").read_text()
    bad = {
        result["id"]: result["reason"]
        for result in host["results"]
        if result["state"] not in ("pass", "not_applicable")
    }
    # How old the bulletins are depends on the day of the run.
    assert set(bad) <= {"RMP-GPU-060"}, bad
    assert host["counts"]["pass"] >= 45


@pytest.mark.parametrize(
    ("path", "text", "control"),
    [
        ("remapped_rows/remapped_row_failure", "Yes", "RMP-GPU-020"),
        ("fabric/state", "In Progress", "RMP-GPU-045"),
        ("gpu_recovery_action", "GPU Reset", "RMP-GPU-027"),
    ],
)
def test_a_field_that_says_otherwise_is_seen(fleet: Fleet, path: str, text: str, control: str) -> None:
    replay(fleet, node())
    before = states(fleet)
    replay(fleet, node().one(path, text))
    after = states(fleet)
    assert before[control] == "pass"
    assert {name: after[name] for name in after if after[name] != before[name]} == {control: "fail"}


def test_a_miner_is_found_by_its_control_group(fleet: Fleet) -> None:
    replay(fleet, node())
    before = states(fleet)
    pid = int(fleet.shell(HOST, MINER))
    replay(fleet, node().process(3, pid, "updater"))
    after = states(fleet)
    fleet.shell(HOST, "systemctl stop updater.service")
    assert {name: after[name] for name in after if after[name] != before[name]} == {"RMP-GPU-065": "fail"}


def test_device_files_that_anybody_may_open_are_seen(fleet: Fleet) -> None:
    replay(fleet, node())
    assert states(fleet)["RMP-GPU-061"] == "pass"
    fleet.shell(HOST, "chmod 0666 /dev/nvidia3")
    assert states(fleet)["RMP-GPU-061"] == "fail"
    fleet.shell(HOST, "chmod 0660 /dev/nvidia3")


def test_the_facts_of_a_replay_are_typed(fleet: Fleet) -> None:
    replay(fleet, node().divided())
    done = ansible("ansible", HOST, "-i", str(fleet.inventory), "-b", "-m", "rampart.fleet.gpu_info", "-C")
    facts = yaml.safe_load(done.stdout.partition("=> ")[2])
    gpu = facts["nvidia"]["gpus"][0]
    assert (gpu["memory_total_mib"], gpu["ecc"]["enabled"]) == (143771, True)
    assert gpu["remapped_rows"]["pending"] == {"unavailable": "mig", "text": "N/A"}
    assert facts["changed"] is False


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("head -c 3000 {answer} > /run/half && mv /run/half {answer}", "it is not whole"),
        ("printf '#!/bin/sh\\nexec sleep 60\\n' > /usr/bin/nvidia-smi", "nvidia-smi -q -x"),
        ("rm /usr/bin/nvidia-smi", "'nvidia-smi' is not installed"),
    ],
    ids=["half an answer", "a hang", "no tool"],
)
def test_a_tool_that_does_not_answer_is_one_clear_failure(fleet: Fleet, damage: str, says: str) -> None:
    replay(fleet, node())
    fleet.shell(HOST, damage.format(answer="/run/rampart-lab/replay/_q__x"))
    asked = ("-m", "rampart.fleet.gpu_info", "-a", "timeout_s=4")
    done = ansible("ansible", HOST, "-i", str(fleet.inventory), "-b", *asked)
    assert done.returncode != 0
    assert "The GPUs of this host cannot be told" in done.stdout and says in done.stdout, done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_driver_that_does_not_answer_is_a_finding_of_the_posture(fleet: Fleet) -> None:
    replay(fleet, node())
    fleet.shell(HOST, "rm /usr/bin/nvidia-smi")
    found = states(fleet)
    assert found["RMP-GPU-001"] == "fail"
    assert found["RMP-GPU-011"] == "error"
