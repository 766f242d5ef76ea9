# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A made-up but lifelike fleet: four hosts in their modes, 130 controls, every state, evidence and a waiver."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture import verdict as engine
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.assemble import RunInfo, assemble, load_host_files
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.judge import judge

Json = dict[str, Any]

FINISHED = "2026-03-05T12:00:31Z"
SUBJECTS = {
    "kernel": (
        "os_hardening",
        "sysctl",
        ["kernel.kptr_restrict", "kernel.dmesg_restrict", "net.ipv4.conf.all.rp_filter"],
    ),
    "modules": ("os_hardening", "kernel_module", ["cramfs", "dccp", "sctp", "usb-storage"]),
    "ssh": ("ssh_server", "sshd_effective", ["permitrootlogin", "maxauthtries", "x11forwarding", "ciphers"]),
    "firewall": ("firewall", "nftables", ["input policy", "forward policy", "open ports"]),
    "audit": ("audit_logging", "audit_rules", ["time-change", "identity", "privileged", "immutable"]),
}
STATES = (
    (["pass"] * 84) + (["fail"] * 5) + (["not_applicable"] * 6) + ["manual", "error", "unknown", "conflict", "waived"]
)
REASONS = {
    "not_applicable": "a container has no kernel of its own",
    "manual": "a person must look at the rack",
    "error": "the probe raised PermissionError: /proc/kcore",
    "unknown": "no answer within 5 s",
    "conflict": "sshd -T says no, a login as root says yes",
    "waived": "waived by W-1 until 2026-06-30",
}


def make_controls(number: int = 130) -> Json:
    """Return ``number`` entries of ``controls``."""
    areas = list(SUBJECTS)
    controls = {}
    for index in range(number):
        area = areas[index % len(areas)]
        role, _, subjects = SUBJECTS[area]
        subject = subjects[index // len(areas) % len(subjects)]
        controls[f"RMP-{area[:3].upper()}-{index // len(areas) + 1:03d}"] = {
            "title": f"{subject} is set as the {area} baseline wants it",
            "severity": ("critical", "high", "high", "medium", "medium", "medium", "low", "info")[index % 8],
            "area": area,
            "role": role,
            "rationale": "What an attacker cannot reach cannot be used against the fleet.",
            "remedy": f"role rampart.fleet.{role}, variable {role}_settings",
            "refs": {"nist80053r5": ["AC-6", "CM-7"], "cis_debian12": [f"{index % 7 + 1}.{index % 20 + 1}"]},
        }
    return controls


def _judged(control_id: str, control: Json, chance: random.Random, index: int) -> tuple[Json, Json]:
    state = chance.choice(STATES)
    kind = SUBJECTS[control["area"]][1]
    key = f"{kind}:{index % 40}"
    result = {
        "id": control_id,
        "severity": control["severity"],
        "state": state,
        "reason": REASONS.get(state, ""),
        "expected": f"value in [2, {index % 5 + 3}]",
        "observed": 0 if state == "fail" else index % 5 + 3,
        "waiver": "W-1" if state == "waived" else None,
        "obs": [key],
    }
    status = {"error": "error", "unknown": "timeout"}.get(state, "ok")
    value = {"key": control["title"].split()[0], "value": result["observed"], "layers": ["/run", "/etc"]}
    observation = {"status": status, "value": value, "reason": result["reason"], "source": f"{kind} probe", "ms": 1.4}
    return result, {key: observation}


def make_host(name: str, mode: str, controls: Json, seed: int = 0) -> Json:
    """Return a measured entry of ``hosts``; the same seed gives the same host."""
    chance = random.Random(f"{name}/{seed}")
    results, observations = [], {}
    for index, (control_id, control) in enumerate(controls.items()):
        result, seen = _judged(control_id, control, chance, index)
        results.append(result)
        observations.update(seen)
    return {
        "name": name,
        "mode": mode,
        "state": "measured",
        "reason": "",
        "roles": ["os_hardening", "ssh_server", "firewall", "audit_logging"],
        "context": {
            "virt": "container",
            "mode": mode,
            "os": {"id": "debian", "version": "12"},
            "kernel": "6.1.0-26-amd64",
            "workload": {"gpu": ["nvidia"], "rdma": ["mlx5_0"], "container_runtime": ["containerd"]},
            "hostname": name,
        },
        "score": engine.score(results),
        "coverage": engine.coverage(results),
        "counts": engine.counts(results),
        "results": results,
        "observations": observations,
    }


def host_file(host: Json, controls: Json, run_id: str = "run-2") -> Json:
    """Return the document that the posture action leaves for ``host``."""
    waiver = {
        "id": "W-1",
        "control": "RMP-SSH-001",
        "hosts": ["gpu*"],
        "owner": "storage team",
        "reason": "a vendor agent logs in as root until its successor is rolled out",
        "expires": "2026-06-30",
        "ticket": "OPS-421",
        "matched": True,
    }
    return {
        "schema_version": 1,
        "run_id": run_id,
        "started": "2026-03-05T12:00:00Z",
        "finished": FINISHED,
        "collection_version": "0.1.0",
        "catalogue_sha256": "ab" * 32,
        "host": host,
        "controls": controls,
        "waivers": [waiver],
    }


FLEET = {"gateway1": "inference", "gpu1": "inference", "gpu2": "training", "store1": "idle"}


def write_run(
    directory: Path, run_id: str = "run-2", seed: int = 0, fleet: dict[str, str] | None = None, number: int = 130
) -> Path:
    """Write the host files of a run of ``number`` controls below ``directory`` and return it."""
    controls = make_controls(number)
    (directory / "hosts").mkdir(parents=True, exist_ok=True)
    for name, mode in (fleet or FLEET).items():
        document = host_file(make_host(name, mode, controls, seed), controls, run_id)
        (directory / "hosts" / f"{name}.json").write_text(json.dumps(document))
    return directory


def build(directory: Path, run_id: str = "run-2", expected: list[str] | None = None, finished: str = FINISHED) -> Json:
    """Return the report of the host files below ``directory``."""
    files = load_host_files(directory / "hosts")
    run = RunInfo(run_id, finished, "Lab fleet", "site.yml", "controller1")
    return assemble(files, expected if expected is not None else list(FLEET), run, "high", judge)


@pytest.fixture
def make_report(tmp_path: Path) -> Callable[..., Json]:
    """Return a function that makes a report: ``make_report(run_id, seed)``."""

    def make(run_id: str = "run-2", seed: int = 0, finished: str = FINISHED) -> Json:
        return build(write_run(tmp_path / run_id, run_id, seed), run_id, finished=finished)

    return make


@pytest.fixture
def report(make_report: Callable[..., Json]) -> Json:
    """Return the report of the lifelike fleet."""
    return make_report()


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """Return a report folder with the host files of one run."""
    return write_run(tmp_path / "report")
