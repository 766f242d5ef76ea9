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
# With a parameter that a site may set; true of every Linux host.
LEAST = {"least": {"type": "int", "default": 1, "min": 1, "meaning": "the lowest number of processes"}}
TUNABLE = {
    **CONTROL,
    "id": "RMP-TST-003",
    "probes": [{"id": "most", "kind": "sysctl", "key": "kernel.pid_max"}],
    "params": LEAST,
    "expect": {"all": [{"obs": "most", "op": "ge", "value": {"param": "least"}}]},
}
WRONG = {**CONTROL, "id": "RMP-TST-002", "expect": {"all": [{"obs": "kind", "op": "eq", "value": "Plan 9"}]}}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A catalogue of three controls, one of which fails on every Linux host."""
    controls = tmp_path / "catalogue/tst/controls"
    controls.mkdir(parents=True)
    (controls / "tst.yml").write_text(yaml.safe_dump([CONTROL, WRONG, TUNABLE]))
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
        "parameters": {},
        "points": [],
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
        ("RMP-TST-003", "pass"),
    ]
    assert document["host"]["observations"]["sysctl(key=kernel.ostype)"]["value"] == "Linux"


BAD = {
    "no_roles": ({"roles": []}, "the host has no rampart_roles"),
    "other_role": ({"roles": ["no_such_role"]}, "nothing could be measured"),
    "other_area": ({"areas": ["XYZ"]}, "no area XYZ"),
    "other_mode": ({"mode": "turbo"}, "turbo"),
    "no_waivers": ({"waivers": ["/no/such/waivers.yml"]}, "/no/such/waivers.yml: cannot be read"),
    "no_folder": ({"report_dir": "/dev/null/report"}, "the evidence cannot be kept"),
    "other_parameter": ({"parameters": {"RMP-TST-003": {"size": 1}}}, "which it does not have (it has: least)"),
    "other_type": ({"parameters": {"RMP-TST-003": {"least": "7"}}}, "wanted a value of type int"),
    "too_little": ({"parameters": {"RMP-TST-003": {"least": 0}}}, "wanted 1 or more"),
    "no_control": ({"parameters": {"RMP-TST-009": {"least": 7}}}, "no control has that id"),
    "no_python": ({"python": "/usr/bin/python-of-nobody"}, "no usable Python interpreter at /usr/bin/python-of-nobody"),
}


def peers(site: Path) -> dict[str, dict[str, Any]]:
    """Peers that answer and cannot look, each for a reason of its own."""
    pythons = {"none": None, "dies": "echo the disk is on fire >&2; exit 1", "speaks": "echo welcome to this host"}
    for name, script in pythons.items():
        if script is not None:
            (site / name).write_text(f"#!/bin/sh\ncat >/dev/null\n{script}\n")
            (site / name).chmod(0o755)
    return {name: {"python": str(site / name)} for name in pythons}


@pytest.mark.parametrize(
    ("peer", "said"),
    [("none", "/none"), ("dies", "the disk is on fire"), ("speaks", "welcome to this host")],
)
def test_a_peer_that_cannot_look_is_quoted_and_its_view_is_an_error(site: Path, peer: str, said: str) -> None:
    seen = {
        **CONTROL,
        "id": "RMP-TST-005",
        "probes": [{"id": "ping", "kind": "icmp", "vantage": "external"}],
        "applies": {"requires": [{"obs": "ping", "op": "present"}], "reason_if_not": "nobody looks"},
        "expect": {"all": [{"obs": "ping", "field": "echo", "op": "eq", "value": True}]},
    }
    (site / "catalogue/tst/controls/outside.yml").write_text(yaml.safe_dump([seen]))
    _status, printed = play(site, {"here": {"points": [peer]}, **peers(site)}, "--limit", "here")
    found = {one["id"]: one for one in kept(site)["host"]["results"]}
    assert found["RMP-TST-001"]["state"] == "pass", printed
    assert found["RMP-TST-005"]["state"] == "error"
    assert f"{peer} was to look at this host and could not" in found["RMP-TST-005"]["reason"]
    assert said in kept(site)["host"]["observations"]["vantage:icmp"]["reason"]


def test_bad_input_fails_its_host_by_name_and_the_others_go_on(site: Path) -> None:
    status, printed = play(site, {**{name: dict(asked) for name, (asked, _) in BAD.items()}, "here": {}})
    assert status == 2
    assert "Traceback" not in printed
    pieces = re.split(r"fatal: \[(\w+)\]: FAILED! =>", printed)
    told = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    assert {name: said for name, (_, said) in BAD.items() if said not in told.get(name, "")} == {}
    assert kept(site)["host"]["state"] == "measured"
    assert kept(site, "no_python")["host"]["state"] == "failed"


@pytest.mark.parametrize(
    ("altered", "said"),
    [
        ({"severity": "grave"}, "'grave' is not one of"),
        ({"probes": [{"id": "kind", "kind": "telepathy"}]}, "probe kind 'telepathy' is not known"),
        ({"expect": {"all": [{"obs": "kind", "op": "like", "value": "L"}]}}, "'like' is not one of"),
    ],
)
def test_a_malformed_control_is_refused_with_its_file_and_earlier_results_stay(
    site: Path, altered: dict[str, Any], said: str
) -> None:
    play(site, {"here": {}})
    before = kept(site)
    broken = site / "catalogue/tst/controls/broken.yml"
    broken.write_text(yaml.safe_dump([{**CONTROL, "id": "RMP-TST-004", **altered}]))
    status, printed = play(site, {"here": {"run_id": "run-2"}})
    assert status == 2
    assert str(broken) in printed
    assert "RMP-TST-004" in printed
    assert said in printed
    assert "Traceback" not in printed
    assert kept(site) == before


@pytest.mark.parametrize(("seconds", "said"), [(260_000, "3 days, 0:13:20 ahead of"), (-7_200, "2:00:00 behind")])
def test_a_clock_that_is_far_off_is_named_with_what_follows(site: Path, seconds: int, said: str) -> None:
    clock = site / "clock"
    clock.mkdir()
    (clock / "sitecustomize.py").write_text(
        f"import time\nright = time.time\ntime.time = lambda: right() + {seconds}\n"
    )
    python = clock / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={clock} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    status, printed = play(site, {"off": {"python": str(python)}, "here": {}})
    assert status == 0, printed
    about = re.findall(r"(\w+): its clock is ([^,]+(?:, [0-9:]+)? (?:ahead of|behind)) the controller's", printed)
    assert [name for name, _ in about] == ["off"]
    # The answer takes a moment, which makes a clock look a little less ahead, or more behind.
    assert abs(_seconds(about[0][1]) - _seconds(said)) < 60
    assert "Set the time of whichever is wrong" in printed
    assert kept(site, "off")["host"]["state"] == "measured"


def _seconds(text: str) -> int:
    days, hours, minutes, seconds = re.fullmatch(r"(?:(\d+) days, )?(\d+):(\d+):(\d+) .*", text).groups()  # type: ignore[union-attr]
    return ((int(days or 0) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds)
