# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The action and the module together, through Ansible, on the machine of the tests: it only reads."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
CONTROL = {
    "id": "RMP-TST-001",
    "title": "The kernel is Linux",
    "severity": "high",
    "rationale": "Nothing else has a /proc/sys.",
    "probes": [{"id": "kind", "kind": "sysctl", "key": "kernel.ostype"}],
    "expect": {"all": [{"obs": "kind", "op": "eq", "value": "Linux"}]},
    "remedy": "install Linux",
}
WRONG = {**CONTROL, "id": "RMP-TST-002", "expect": {"all": [{"obs": "kind", "op": "eq", "value": "Plan 9"}]}}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A catalogue of two controls, one of which fails on every Linux host."""
    controls = tmp_path / "catalogue/tst/controls"
    controls.mkdir(parents=True)
    (controls / "tst.yml").write_text(yaml.safe_dump([CONTROL, WRONG]))
    return tmp_path


def play(site: Path, hosts: dict[str, dict[str, Any]], *options: str) -> tuple[int, str]:
    """Measure hosts that are all this machine, each with its own arguments; return the exit status and the output."""
    usual = {
        "report_dir": str(site / "report"),
        "run_id": "run-1",
        "mode": "idle",
        "roles": ["tst"],
        "areas": [],
        "waivers": [],
        "catalogue_paths": [str(site / "catalogue")],
    }
    task = {name: f"{{{{ asked.{name} }}}}" for name in usual}
    tasks = [{"name": "Measure", "rampart.fleet.posture": task}]
    known = {
        name: {
            "ansible_connection": "local",
            "ansible_python_interpreter": asked.pop("python", sys.executable),
            "asked": {**usual, **asked},
        }
        for name, asked in hosts.items()
    }
    (site / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": known}}))
    (site / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-v", "-i", str(site / "inventory.yml")]
    environment = {**os.environ, "XDG_CACHE_HOME": str(site / "cache"), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(
        [*command, *options, str(site / "play.yml")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def kept(site: Path, host: str = "here") -> dict[str, Any]:
    document: dict[str, Any] = json.loads((site / f"report/hosts/{host}.json").read_text())
    return document


@pytest.mark.parametrize("options", [(), ("--check",)])
def test_a_host_is_measured_and_judged_in_check_mode_too(site: Path, options: tuple[str, ...]) -> None:
    status, printed = play(site, {"here": {}}, *options)
    assert status == 0, printed
    assert "RMP-TST-002 high fail: kind = Linux, wanted kind = Plan 9" in printed
    assert "changed=0" in printed
    assert "invocation" not in printed
    document = kept(site)
    assert document["run_id"] == "run-1"
    assert [(one["id"], one["state"]) for one in document["host"]["results"]] == [
        ("RMP-TST-001", "pass"),
        ("RMP-TST-002", "fail"),
    ]
    assert document["host"]["observations"]["sysctl(key=kernel.ostype)"]["value"] == "Linux"


BAD = {
    "no_roles": ({"roles": []}, "the host has no rampart_roles"),
    "other_role": ({"roles": ["no_such_role"]}, "nothing could be measured"),
    "other_area": ({"areas": ["XYZ"]}, "no area XYZ"),
    "other_mode": ({"mode": "turbo"}, "turbo"),
    "no_waivers": ({"waivers": ["/no/such/waivers.yml"]}, "/no/such/waivers.yml: cannot be read"),
    "no_folder": ({"report_dir": "/dev/null/report"}, "the evidence cannot be kept"),
    "no_python": ({"python": "/usr/bin/python-of-nobody"}, "no usable Python interpreter at /usr/bin/python-of-nobody"),
}


def test_bad_input_fails_its_host_by_name_and_the_others_go_on(site: Path) -> None:
    status, printed = play(site, {**{name: dict(asked) for name, (asked, _) in BAD.items()}, "here": {}})
    assert status == 2
    assert "Traceback" not in printed
    pieces = re.split(r"fatal: \[(\w+)\]: FAILED! =>", printed)
    told = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    assert {name: said for name, (_, said) in BAD.items() if said not in told.get(name, "")} == {}
    assert kept(site)["host"]["state"] == "measured"
    assert kept(site, "no_python")["host"]["state"] == "failed"


def test_a_malformed_control_is_refused_with_its_file(site: Path) -> None:
    broken = site / "catalogue/tst/controls/broken.yml"
    broken.write_text(yaml.safe_dump([{**CONTROL, "id": "RMP-TST-003", "severity": "grave"}]))
    status, printed = play(site, {"here": {}})
    assert status == 2
    assert str(broken) in printed
    assert "'grave' is not one of" in printed
