# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Real containers: they boot, are themselves, reach each other only, break, heal, and leave nothing behind."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from rampart.lab import Lab, LabError

pytestmark = pytest.mark.lab
MakeLab = Callable[[str], Lab]
SOURCE = Path(__file__).parents[2] / "src"


def _traces() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lab_traces", Path(__file__).with_name("traces.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["lab_traces"] = module
    spec.loader.exec_module(module)
    return module


traces = _traces()


@pytest.fixture(scope="module")
def lab(make_lab: MakeLab) -> Lab:
    """A gateway and a store, up for the whole module."""
    made = make_lab("pair")
    topology = made.paths.state / "pair.yml"
    topology.write_text(
        "hosts:\n  a1: {mode: inference, groups: [gateway], disk_mib: 1024}\n  b1: {mode: idle, groups: [store]}\n",
        encoding="utf-8",
    )
    made.up(str(topology))
    return made


def said(lab: Lab, host: str, *argv: str) -> str:
    done = lab.exec(host, argv)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def cli(lab: Lab, *argv: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "RAMPART_LAB_HOME": str(lab.paths.state), "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-m", "rampart.lab", *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=env)


def test_hosts_are_real_and_themselves(lab: Lab) -> None:
    assert said(lab, "a1", "systemctl", "is-system-running") == "running"
    assert said(lab, "a1", "hostname", "--fqdn") == "a1.pair.rampart.test"
    ids = {said(lab, host, "cat", "/etc/machine-id") for host in ("a1", "b1")}
    keys = {said(lab, host, "cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()[1] for host in ("a1", "b1")}
    assert len(ids) == 2 and len(keys) == 2
    assert said(lab, "a1", "findmnt", "--noheadings", "--output", "FSTYPE", "/") == "overlay"


def test_hosts_reach_each_other_by_name_and_nothing_outside(lab: Lab) -> None:
    said(lab, "a1", "ping", "-c", "1", "-W", "3", "b1")
    outside = lab.exec("a1", ["ping", "-c", "1", "-W", "3", "192.0.2.1"])
    assert outside.returncode != 0
    assert b"nreachable" in outside.stdout, "an answer at once, not a wait"


def test_packages_install_from_the_repository(lab: Lab) -> None:
    assert said(lab, "b1", "sh", "-c", "cat /etc/apt/sources.list; ls /etc/apt/sources.list.d").startswith("deb [")
    assert lab.exec("b1", ["dpkg", "-s", "auditd"]).returncode != 0
    said(lab, "b1", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qy", "install", "auditd")
    assert "install ok installed" in said(lab, "b1", "dpkg", "-s", "auditd")
    assert lab.exec("b1", ["touch", "/srv/rampart-apt/x"]).returncode != 0


def test_plain_ansible_works_with_the_inventory(lab: Lab) -> None:
    ansible = Path(sys.executable).with_name("ansible")
    argv = [str(ansible), "-i", str(lab.inventory_path), "all", "-m", "ansible.builtin.command", "-a", "id -un"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("root") >= 2


def test_exec_passes_input_words_and_exit_code(lab: Lab) -> None:
    assert cli(lab, "exec", "-n", "pair", "a1", "--", "sh", "-c", "exit 7").returncode == 7
    assert cli(lab, "exec", "-n", "pair", "a1", "--", "printf", "%s", "a  'b' $HOME").stdout == "a  'b' $HOME"
    assert lab.exec("a1", ["cat"], stdin=b"in").stdout == b"in"
    unknown = cli(lab, "exec", "-n", "pair", "zz", "--", "true")
    assert unknown.returncode == 2 and "no host 'zz'; it has a1, b1" in unknown.stderr


def test_up_again_keeps_what_runs_and_boots_what_died(lab: Lab) -> None:
    boots = {host: said(lab, host, "cat", "/proc/1/stat").split()[21] for host in ("a1", "b1")}
    said(lab, "a1", "touch", "/root/kept")
    lab.break_host("a1", "kill-host")
    status = cli(lab, "status", "-n", "pair", "--json")
    assert status.returncode == 1
    states = {host["name"]: host["state"] for host in json.loads(status.stdout)["pair"]["hosts"]}
    assert states == {"a1": "dead", "b1": "running"}
    lab.up()
    assert said(lab, "b1", "cat", "/proc/1/stat").split()[21] == boots["b1"]
    assert said(lab, "a1", "cat", "/proc/1/stat").split()[21] != boots["a1"]
    said(lab, "a1", "test", "-e", "/root/kept")


def test_another_topology_under_the_same_name_is_refused(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"hosts a1 \(inference\), b1 \(idle\), and wanted now .* lab down --name pair"):
        lab.up("single")


def test_a_reboot_keeps_the_disk_and_forgets_the_network(lab: Lab) -> None:
    said(lab, "a1", "sh", "-c", "touch /root/before; nft add table inet forgotten; sysctl -qw net.ipv4.ip_forward=1")
    lab.exec("a1", ["systemctl", "reboot"])
    end = time.monotonic() + 60
    while (
        b"up" not in (done := lab.exec("a1", ["sh", "-c", "test -e /root/before && nft list tables && echo up"])).stdout
    ):
        assert time.monotonic() < end
        time.sleep(0.2)
        if b"forgotten" in done.stdout:
            continue
    assert "forgotten" not in said(lab, "a1", "nft", "list", "tables")
    assert said(lab, "a1", "sysctl", "-n", "net.ipv4.ip_forward") == "0"


def test_a_cut_link_cuts_and_heals(lab: Lab) -> None:
    lab.break_host("b1", "cut-link")
    assert lab.exec("a1", ["ping", "-c", "1", "-W", "1", "b1"]).returncode != 0
    lab.break_host("b1", "heal-link")
    said(lab, "a1", "ping", "-c", "3", "-W", "2", "b1")


def test_a_full_disk_is_full_for_root_and_free_again(lab: Lab) -> None:
    lab.break_host("a1", "fill-disk")
    full = lab.exec("a1", ["dd", "if=/dev/zero", "of=/root/more", "bs=1M", "count=1"])
    assert full.returncode != 0 and b"No space left" in full.stderr
    disk = lab.folder.host("a1") / "disk.img"
    assert disk.stat().st_blocks * 512 < 300 << 20, "the machine's own disk is not filled"
    lab.break_host("a1", "free-disk")
    said(lab, "a1", "dd", "if=/dev/zero", "of=/root/more", "bs=1M", "count=1")


def test_a_killed_service_stays_down_until_healed(lab: Lab) -> None:
    lab.break_host("a1", "kill-service=cron.service")
    assert lab.exec("a1", ["systemctl", "is-active", "cron"]).stdout.strip() != b"active"
    assert lab.exec("a1", ["systemctl", "start", "cron"]).returncode != 0
    lab.break_host("a1", "heal-service=cron.service")
    assert said(lab, "a1", "systemctl", "is-active", "cron") == "active"
    with pytest.raises(LabError, match="did not take on a1"):
        lab.break_host("a1", "kill-service=nonesuch.service")
    with pytest.raises(LabError, match="did you mean 'cut-link'"):
        lab.break_host("a1", "cutlink")


def test_a_host_without_python_and_healed(lab: Lab) -> None:
    lab.break_host("a1", "no-python")
    assert lab.exec("a1", ["/usr/bin/python3", "-V"]).returncode == 127 or lab.exec("a1", ["python3"]).returncode != 0
    lab.break_host("a1", "heal-python")
    said(lab, "a1", "/usr/bin/python3", "-V")


def test_down_leaves_nothing_and_the_lab_beside_it_alone(lab: Lab, make_lab: MakeLab) -> None:
    network = traces.root_network()
    beside = make_lab("beside")
    beside.up("single")
    present = traces.of_lab(beside.folder.path, "beside")
    assert present.processes and len(present.namespaces) == 2 and present.loops and present.mounts
    assert traces.root_network() == network, "nothing was added to the machine's own network"
    ansible = [str(Path(sys.executable).with_name("ansible")), "-i", str(beside.inventory_path), "all", "-m", "ping"]
    subprocess.run(ansible, check=True, capture_output=True, timeout=60)  # leaves a kept connection behind
    beside.down()
    assert not traces.of_lab(beside.folder.path, "beside", present.namespaces)
    assert not beside.folder.path.exists()
    beside.down()
    assert said(lab, "a1", "true") == ""


@pytest.mark.parametrize("seconds", [0.3, 0.6, 0.9, 1.3])
def test_a_killed_up_is_cleaned_by_down(make_lab: MakeLab, seconds: float) -> None:
    killed = make_lab("killed")
    env = {**os.environ, "RAMPART_LAB_HOME": str(killed.paths.state), "PYTHONPATH": str(SOURCE)}
    argv = [sys.executable, "-m", "rampart.lab", "up", "-n", "killed", "-t", "demo"]
    with subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
    namespaces = traces.of_lab(killed.folder.path, "killed").namespaces
    killed.down()
    assert not traces.of_lab(killed.folder.path, "killed", namespaces)
    assert not killed.folder.path.exists()


def test_an_up_after_a_killed_up_completes_it(make_lab: MakeLab) -> None:
    killed = make_lab("again")
    env = {**os.environ, "RAMPART_LAB_HOME": str(killed.paths.state), "PYTHONPATH": str(SOURCE)}
    argv = [sys.executable, "-m", "rampart.lab", "up", "-n", "again", "-t", "single"]
    with subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        while b"booting" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    killed.up("single")
    assert said(killed, "host1", "true") == ""
    killed.down()
