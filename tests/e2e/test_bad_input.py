# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Wrong inventories and broken hosts: a clear error names what and where, the others go on, nothing is half applied."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from .fleet import BIN, CHECKOUT, Fleet, ansible, said_of_failure

pytestmark = pytest.mark.lab

WAIVER = {
    "control": "RMP-SSH-003",
    "hosts": ["*"],
    "owner": "ops@example.org",
    "reason": "migration",
    "ticket": "OPS-1",
    "compensating_control": "the bastion",
    "created": "2019-10-01",
    "expires": "2020-01-01",
}


def run(
    fleet: Fleet, tmp_path: Path, playbook: str, host: str, variables: dict[str, Any]
) -> subprocess.CompletedProcess[str]:
    """Run a playbook on one host of the lab with host variables of the test's own."""
    extra = tmp_path / "host_vars"
    extra.mkdir()
    (extra / f"{host}.yml").write_text(yaml.safe_dump(variables))
    (tmp_path / "lab.yml").symlink_to(fleet.inventory)
    return ansible(
        *("ansible-playbook", f"playbooks/{playbook}.yml", "-i", str(tmp_path / "lab.yml"), "-l", host),
        *("-e", f"posture_report_dir={tmp_path / 'report'}", "-e", f"@{extra / f'{host}.yml'}"),
    )


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        pytest.param({"rampart_mode": ""}, ["rampart_mode", "inference"], id="no mode"),
        pytest.param({"rampart_mode": "inferense"}, ["inferense", "inference"], id="unknown mode"),
        pytest.param(
            {"ssh_server_setings": {}},
            ["ssh_server_setings", "ssh_server_settings"],
            id="unknown variable",
        ),
        pytest.param({"rampart_roles": ["os_hardning"]}, ["os_hardning", "os_hardening"], id="unknown role"),
        pytest.param({"posture_fail_on": "severe"}, ["posture_fail_on", "severe", "high"], id="unknown severity"),
    ],
)
def test_a_wrong_inventory_is_named_and_changes_nothing(
    fleet: Fleet, tmp_path: Path, variables: dict[str, Any], named: list[str]
) -> None:
    before = fleet.shell("gateway1", "find /etc -newermt '-1 hour' -printf '%p %T@\\n' | sort | sha256sum")
    done = run(fleet, tmp_path, "harden", "gateway1", variables)
    assert done.returncode != 0
    for word in named:
        assert word in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert fleet.shell("gateway1", "find /etc -newermt '-1 hour' -printf '%p %T@\\n' | sort | sha256sum") == before


@pytest.mark.parametrize(
    ("waivers", "named"),
    [
        pytest.param([WAIVER], ["2020-01-01", "RMP-SSH"], id="expired"),
        pytest.param([{key: value for key, value in WAIVER.items() if key != "owner"}], ["owner"], id="no owner"),
        pytest.param("not a list", ["list"], id="malformed"),
    ],
)
def test_a_wrong_waiver_is_named(fleet: Fleet, tmp_path: Path, waivers: Any, named: list[str]) -> None:
    path = tmp_path / "waivers.yml"
    path.write_text(yaml.safe_dump(waivers))
    done = run(fleet, tmp_path, "verify", "gateway1", {"posture_waivers": [str(path)]})
    assert done.returncode != 0
    for word in [*named, str(path)]:
        assert word in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_hosts_that_cannot_be_measured_are_reported_and_the_others_are(fleet: Fleet) -> None:
    fleet.shell("store1", "mv /usr/bin/python3 /usr/bin/python3.away")
    subprocess.run(
        [BIN / "rampart", "lab", "break", "--name", fleet.lab, "gateway1", "cut-link"], check=True, timeout=60
    )
    try:
        done = fleet.playbook("verify", "-e", "ansible_timeout=5", "-e", "ansible_ssh_retries=0", report="broken")
    finally:
        subprocess.run(
            [BIN / "rampart", "lab", "break", "--name", fleet.lab, "gateway1", "heal-link"], check=True, timeout=60
        )
        fleet.shell("store1", "mv /usr/bin/python3.away /usr/bin/python3")
    report = fleet.report("broken")
    hosts = {host["name"]: host for host in report["hosts"]}
    assert {name: host["state"] for name, host in hosts.items()} == {
        "gateway1": "unreachable", "gpu1": "measured", "gpu2": "measured", "store1": "failed",
    }  # fmt: skip
    assert "python" in hosts["store1"]["reason"].lower()
    assert (report["verdict"]["state"], report["verdict"]["exit_code"]) == ("undecided", 2)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr


def test_a_full_disk_stops_before_anything_is_half_written(fleet: Fleet) -> None:
    subprocess.run([BIN / "rampart", "lab", "break", "--name", fleet.lab, "gpu2", "fill-disk"], check=True, timeout=120)
    try:
        done = fleet.playbook("harden", "-l", "gpu2", "-e", json.dumps({"ssh_server_settings": {"LoginGraceTime": 33}}))
        intact = fleet.shell("gpu2", "sshd -t && nft list table inet rampart >/dev/null && echo intact")
    finally:
        subprocess.run(
            [BIN / "rampart", "lab", "break", "--name", fleet.lab, "gpu2", "free-disk"], check=True, timeout=60
        )
    assert done.returncode != 0
    assert "No space left on device" in done.stdout + done.stderr
    assert intact.strip() == "intact"
    healed = fleet.playbook("site", "-l", "gpu2", report="healed")
    assert healed.returncode == 0, said_of_failure(healed)


def test_an_interrupted_run_goes_on_from_where_it_was(fleet: Fleet) -> None:
    fleet.shell(
        "gpu2",
        "rm -f /etc/sysctl.d/99-rampart.conf /etc/ssh/sshd_config.d/00-rampart.conf; nft delete table inet rampart",
    )
    command = [BIN / "rampart", "apply", "-i", fleet.inventory, "--limit", "gpu2"]
    started = subprocess.Popen(
        command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    time.sleep(6)
    os.killpg(started.pid, signal.SIGINT)
    output, _ = started.communicate(timeout=120)
    assert started.returncode not in (0, None), output
    assert "Traceback" not in output
    again = fleet.playbook("site", "-l", "gpu2", report="again")
    assert again.returncode == 0, said_of_failure(again)


def test_a_host_that_reboots_in_the_middle_is_reported_and_the_next_run_measures_it(fleet: Fleet) -> None:
    # The first probe that asks systemctl restarts the host instead of getting an answer.
    script = (
        "#!/bin/sh\nmv -f /usr/bin/systemctl.away /usr/bin/systemctl\nsync\n"
        "/usr/bin/systemctl --force --force reboot\nsleep 60\n"
    )
    started = fleet.shell("gpu1", "cat /proc/sys/kernel/random/boot_id; stat -c %Y /proc/1")
    fleet.shell(
        "gpu1",
        "mv /usr/bin/systemctl /usr/bin/systemctl.away\n"
        f"cat >/usr/bin/systemctl <<'END'\n{script}END\nchmod 755 /usr/bin/systemctl",
    )
    done = fleet.playbook("verify", report="rebooted")
    report = fleet.report("rebooted")
    hosts = {host["name"]: host for host in report["hosts"]}
    assert {name: host["state"] for name, host in hosts.items() if name != "gpu1"} == dict.fromkeys(
        ("gateway1", "gpu2", "store1"), "measured"
    )
    assert hosts["gpu1"]["state"] in ("unreachable", "failed")
    assert hosts["gpu1"]["results"] == []
    assert "run it again" in hosts["gpu1"]["reason"] or "measurement failed" in hosts["gpu1"]["reason"]
    assert (report["verdict"]["state"], report["verdict"]["exit_code"]) == ("undecided", 2)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    wait_for(fleet, "gpu1")
    assert fleet.shell("gpu1", "cat /proc/sys/kernel/random/boot_id; stat -c %Y /proc/1") != started
    again = fleet.playbook("verify", report="rebooted")
    hosts = {host["name"]: host["state"] for host in fleet.report("rebooted")["hosts"]}
    assert set(hosts.values()) == {"measured"}, again.stdout[-4000:]


def wait_for(fleet: Fleet, host: str, seconds: float = 120) -> None:
    """Wait until a host answers again."""
    end = time.monotonic() + seconds
    while "up" not in fleet.shell(host, "echo up", check=False):
        assert time.monotonic() < end, f"{host} did not come back within {seconds} s"
        time.sleep(1)
