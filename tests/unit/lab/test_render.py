# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the lab writes for ssh and Ansible, from a plan alone."""

from __future__ import annotations

import shlex
import subprocess
from datetime import date
from pathlib import Path

import pytest
import yaml
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture import waivers

from rampart.lab import drivers, faults, identity, inventory, plan, topology
from rampart.lab.driver import Endpoint
from rampart.lab.errors import LabError
from rampart.lab.state import LabFolder, Paths

LAB = plan.make(topology.load("demo"), "one", "nspawn", "12")
ENDPOINTS = {host.name: Endpoint(host.address, proxy_command="connect %h %p") for host in LAB.hosts}


def test_the_inventory_has_the_groups_and_variables_of_the_contract(tmp_path: Path) -> None:
    data = yaml.safe_load(inventory.render(LAB, LabFolder(tmp_path / "one"), ENDPOINTS))["all"]
    groups = {name: set(group["hosts"]) for name, group in data["children"].items()}
    everyone = {"gateway1", "gpu1", "gpu2", "store1"}
    assert groups == {
        "rampart": everyone,
        "lab_nspawn": everyone,
        "gpu": {"gpu1", "gpu2"},
        "gateway": {"gateway1"},
        "store": {"store1"},
    }
    assert data["children"]["rampart"]["hosts"]["gpu2"]["rampart_mode"] == "training"
    assert data["vars"]["ansible_user"] == "ops"
    assert data["vars"]["ansible_python_interpreter"] == "/usr/bin/python3"
    assert data["vars"]["lab_name"] == "one"
    assert "ansible_ssh_timeout" not in data["vars"], "a container answers at once"


def test_virtual_machines_are_excused_from_a_time_server_and_from_nothing_else(tmp_path: Path) -> None:
    assert inventory.render_waivers(LAB, date(2026, 3, 1)) is None
    text = inventory.render_waivers(plan.make(topology.load("demo"), "one", "qemu", "12"), date(2026, 3, 1))
    file = tmp_path / "waivers.yml"
    file.write_text(text or "", encoding="utf-8")
    (waiver,) = waivers.load_waivers([str(file)], frozenset({"RMP-TIME-001"}))
    assert set(waiver.hosts) == {"gateway1", "gpu1", "gpu2", "store1"}
    assert waiver.expires == date(2026, 3, 31)


def test_ssh_itself_reads_the_configuration_as_meant(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path / "with space")
    folder.create()
    folder.ssh_config.write_text(identity.ssh_config(LAB, folder, ENDPOINTS), encoding="utf-8")
    argv = ["ssh", *shlex.split(identity.ssh_arguments(folder)), "-G", LAB.host("gpu1").address]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=20).stdout
    seen = dict(line.split(" ", 1) for line in said.splitlines() if " " in line)
    assert seen["user"] == "ops"
    assert seen["hostkeyalias"] == "gpu1"
    assert seen["stricthostkeychecking"] in ("true", "yes")
    assert seen["proxyusefdpass"] == "yes"
    assert seen["identityfile"].strip('"') == str(folder.key)
    assert seen["userknownhostsfile"].strip('"') == str(folder.known_hosts)


def test_each_host_knows_itself_and_the_fleet() -> None:
    lines = identity.hosts_file(LAB, LAB.host("gpu1")).splitlines()
    assert "127.0.0.1 localhost" in lines
    for host in LAB.hosts:
        assert f"{host.address} {host.name}.one.rampart.test {host.name}" in lines


def test_a_control_socket_fits_whatever_the_state_folder(tmp_path: Path) -> None:
    for path in (Path("/x/one"), tmp_path / ("long" * 20) / "one"):
        folder = LabFolder(path).control_sockets
        assert len(str(folder)) + 60 <= 107
    assert (
        LabFolder(tmp_path / ("l" * 60) / "a").control_sockets != LabFolder(tmp_path / ("l" * 60) / "b").control_sockets
    )


def test_the_plan_survives_being_saved(tmp_path: Path) -> None:
    rails = plan.make(topology.load("rails"), "two", "qemu", "13")
    folder = LabFolder(tmp_path / "two")
    assert folder.load_plan() is None
    folder.create()
    folder.save_plan(rails)
    assert folder.load_plan() == rails
    (folder.path / "plan.json").write_text("{}", encoding="utf-8")
    with pytest.raises(LabError, match="of another version"):
        folder.load_plan()


def test_paths_follow_the_environment() -> None:
    env = {"HOME": "/home/me", "XDG_CACHE_HOME": "/cache"}
    assert Paths.from_environment(env) == Paths(Path("/home/me/.local/state/rampart/labs"), Path("/cache/rampart/lab"))
    assert Paths.from_environment({**env, "RAMPART_LAB_HOME": "/labs"}).state == Path("/labs")


def test_words_of_a_command_arrive_unchanged() -> None:
    argv = faults.ssh_argv(LabFolder(Path("/labs/one")), "gpu1", ["printf", "%s", "a b; $HOME 'c'"], root=True)
    assert argv[:4] == ["ssh", "-F", "/labs/one/ssh_config", "gpu1"]
    assert shlex.split(argv[-1]) == ["sudo", "--non-interactive", "--", "printf", "%s", "a b; $HOME 'c'"]


def test_the_driver_is_chosen_with_a_reason() -> None:
    assert drivers.choose(topology.load("rails"), None)[0] == "qemu"
    assert "2 rails" in drivers.choose(topology.load("rails"), None)[1]
    with pytest.raises(LabError, match=r"rails cannot run as containers.*--driver qemu"):
        drivers.choose(topology.load("rails"), "nspawn")
    with pytest.raises(LabError, match="driver 'docker' is not known; wanted one of nspawn, qemu"):
        drivers.choose(topology.load("demo"), "docker")


@pytest.mark.parametrize(("uid", "expected"), [(0, "nspawn"), (1000, "qemu")])
def test_root_takes_containers_and_others_virtual_machines(
    uid: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: uid)
    assert drivers.choose(topology.load("demo"), None)[0] == expected
