# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What a host carries, measured from trees of devices that look like the real ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import LocalHost
from ansible_collections.rampart.fleet.plugins.module_utils.workload.facts import measure

UNIT = "/system.slice/docker-0123456789abcdef.scope"


def pci(root: Path, slot: str, vendor: str, kind: str) -> None:
    device = root / "sys/bus/pci/devices" / slot
    device.mkdir(parents=True)
    (device / "vendor").write_text(f"{vendor}\n")
    (device / "class").write_text(f"{kind}\n")


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def process(root: Path, pid: int, cgroup: str, held: str) -> None:
    folder = root / f"proc/{pid}/fd"
    folder.mkdir(parents=True)
    (folder / "5").symlink_to(held)
    (root / f"proc/{pid}/cgroup").write_text(f"0::{cgroup}\n")


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    (tmp_path / "proc").mkdir()
    return LocalHost(root=str(tmp_path), search_path=[])


def test_a_bare_host_carries_nothing(host: LocalHost) -> None:
    assert measure(host) == {
        "gpu": [],
        "rdma": [],
        "rdma_netdevs": [],
        "container_runtime": [],
        "rootless_runtime": [],
        "gpu_containers_running": False,
        "overlay_mounts": False,
        "router_netdevs": [],
        "modules": [],
        "foreign_modules": [],
        "kdump": False,
    }


@pytest.mark.parametrize(
    ("vendor", "kind", "gpu"),
    [
        ("0x10de", "0x030200", ["nvidia"]),
        ("0x10de", "0x030000", ["nvidia"]),
        ("0x10de", "0x040300", []),
        ("0x10de", "0x068000", []),
        ("0x1002", "0x120000", ["amd"]),
        ("0x1002", "0x030000", []),
        ("0x1a03", "0x030000", []),
    ],
)
def test_a_gpu_is_told_from_a_bridge_and_from_a_console(
    host: LocalHost, tmp_path: Path, vendor: str, kind: str, gpu: list[str]
) -> None:
    pci(tmp_path, "0000:18:00.0", vendor, kind)
    assert measure(host)["gpu"] == gpu


def test_a_container_has_only_the_devices_it_was_given(host: LocalHost, tmp_path: Path) -> None:
    pci(tmp_path, "0000:18:00.0", "0x10de", "0x030200")
    touch(tmp_path, "run/systemd/container", "sys/class/infiniband/mlx5_0/node_type")
    assert measure(host)["gpu"] == [] and measure(host)["rdma"] == []


def test_a_container_with_its_devices_has_them(host: LocalHost, tmp_path: Path) -> None:
    touch(tmp_path, "run/systemd/container", "dev/nvidiactl", "dev/infiniband/uverbs0", "dev/kfd")
    touch(tmp_path, "sys/class/infiniband/mlx5_0/node_type")
    assert measure(host)["gpu"] == ["nvidia", "amd"] and measure(host)["rdma"] == ["mlx5_0"]


def test_rails_are_the_interfaces_of_the_rdma_devices(host: LocalHost, tmp_path: Path) -> None:
    touch(tmp_path, "sys/class/infiniband/mlx5_0/device/net/enp65s0np0/address", "sys/class/infiniband/rxe0/parent")
    (tmp_path / "sys/class/infiniband/rxe0/parent").write_text("eth1\n")
    assert measure(host)["rdma"] == ["mlx5_0", "rxe0"]
    assert measure(host)["rdma_netdevs"] == ["enp65s0np0", "eth1"]


@pytest.mark.parametrize(
    ("path", "runtime"),
    [
        ("run/docker.sock", "docker"),
        ("run/k3s/containerd/containerd.sock", "containerd"),
        ("usr/local/bin/enroot", "enroot"),
        ("run/crio/crio.sock", "crio"),
        ("usr/local/bin/podman", "podman"),
    ],
)
def test_a_runtime_is_found_by_program_or_socket(host: LocalHost, tmp_path: Path, path: str, runtime: str) -> None:
    touch(tmp_path, path)
    assert measure(host)["container_runtime"] == [runtime]


@pytest.mark.parametrize(
    ("cgroup", "held", "running"),
    [
        (UNIT, "/dev/nvidia0", True),
        (UNIT, "/dev/null", False),
        ("/system.slice/nvidia-persistenced.service", "/dev/nvidia0", False),
    ],
)
def test_a_container_with_an_open_gpu_is_seen(
    host: LocalHost, tmp_path: Path, cgroup: str, held: str, running: bool
) -> None:
    touch(tmp_path, "dev/nvidiactl")
    process(tmp_path, 4711, cgroup, held)
    assert measure(host)["gpu_containers_running"] is running


ROUTES = (
    "fe800000000000000000000000000000 40 {0} 00 {0} 00000100 00000001 00000000 00000001 {1}\n"
    "00000000000000000000000000000000 00 {0} 00 fe800000000000000000000000000001 00000400 1 0 {2} {1}\n"
)


@pytest.mark.parametrize(
    ("flags", "accept_ra", "names"),
    [("00450003", "1", ["eth0"]), ("00000003", "1", []), ("00450003", "0", []), ("00450003", "2", ["eth0"])],
)
def test_an_interface_whose_route_a_router_announced(
    host: LocalHost, flags: str, accept_ra: str, names: list[str]
) -> None:
    root = Path(host._root)
    touch(root, "proc/net/ipv6_route", "proc/sys/net/ipv6/conf/eth0/accept_ra")
    (root / "proc/net/ipv6_route").write_text(ROUTES.format("0" * 32, "eth0", flags))
    (root / "proc/sys/net/ipv6/conf/eth0/accept_ra").write_text(f"{accept_ra}\n")
    assert measure(host)["router_netdevs"] == names


def test_what_of_the_kernel_is_not_its_own_and_what_it_keeps_for_a_crash(host: LocalHost) -> None:
    root = Path(host._root)
    touch(root, "sys/module/nvidia/taint", "sys/module/ext4/taint", "sys/kernel/kexec_crash_size")
    (root / "sys/module/nvidia/taint").write_text("POE\n")
    (root / "sys/kernel/kexec_crash_size").write_text("268435456\n")
    found = measure(host)
    assert (found["foreign_modules"], found["kdump"]) == (["nvidia"], True)
    touch(root, "run/systemd/container")
    found = measure(LocalHost(root=str(root), search_path=[]))
    assert (found["foreign_modules"], found["kdump"]) == ([], False)


def test_an_overlay_is_seen(host: LocalHost) -> None:
    touch(Path(host._root), "proc/self/mountinfo")
    (Path(host._root) / "proc/self/mountinfo").write_text("22 1 0:21 / / rw - overlay overlay rw\n")
    assert measure(host)["overlay_mounts"]


def test_who_uses_user_namespaces(host: LocalHost) -> None:
    touch(Path(host._root), "usr/local/bin/podman", "usr/local/bin/dockerd")
    found = measure(host)
    assert (found["container_runtime"], found["rootless_runtime"]) == (["docker", "podman"], ["podman"])
