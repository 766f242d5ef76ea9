# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A reload is refused exactly when it would take a GPU from a running container."""

from __future__ import annotations

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.systemd_reload import (
    Situation,
    container_of,
    decide,
    gpu_containers,
    named_units,
    stale_units,
)

DOCKER = "0::/system.slice/docker-0123456789abcdef0123456789abcdef.scope\n"
KUBE = "0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-abcdef0123456789.scope\n"
HOST = "0::/system.slice/nvidia-persistenced.service\n"


@pytest.mark.parametrize(
    ("stale", "containers", "unlinked", "cdi", "action"),
    [
        ([], ["docker-0123"], ["/dev/nvidia0"], False, "none"),
        (["a.service"], [], ["/dev/nvidia0"], False, "reload"),
        (["a.service"], ["docker-0123"], ["/dev/nvidia0"], True, "reload"),
        (["a.service"], ["docker-0123"], [], False, "reload"),
        (["a.service"], ["docker-0123"], ["/dev/nvidia0"], False, "refuse"),
    ],
)
def test_the_decision(stale: list[str], containers: list[str], unlinked: list[str], cdi: bool, action: str) -> None:
    assert decide(Situation(stale, containers, unlinked, cdi)).action == action


def test_a_refusal_says_what_and_what_to_do() -> None:
    reason = decide(Situation(["a.service"], ["docker-0123"], ["/dev/nvidia0"], False)).reason
    assert all(part in reason for part in ("a.service", "/dev/nvidia0", "1 container", "create-dev-char-symlinks"))


def test_containers_with_a_gpu_are_found_and_services_of_the_host_are_not() -> None:
    cgroups = {1: DOCKER, 2: KUBE, 3: HOST, 4: DOCKER.replace("0123", "9999")}
    files = {1: ["/dev/nvidia0"], 2: ["/dev/nvidiactl"], 3: ["/dev/nvidia0"], 4: ["/dev/null", "/dev/nvidia-caps"]}
    assert gpu_containers(cgroups, files) == [
        "cri-containerd-abcdef0123456789",
        "docker-0123456789abcdef0123456789abcdef",
    ]


def test_a_process_of_the_host_is_in_no_container() -> None:
    assert container_of(HOST) is None


def test_units_that_need_a_reload() -> None:
    show = (
        "Id=a.service\nNeedDaemonReload=yes\n\nId=b.service\nNeedDaemonReload=no\n\nNeedDaemonReload=yes\nId=c.timer\n"
    )
    assert stale_units(show) == ["a.service", "c.timer"]


def test_units_that_are_not_in_memory_are_named() -> None:
    entries = [
        "x.service",
        "clamav-daemon.service.d",
        "getty@.service.d",
        "multi-user.target.wants",
        "service.d",
        "tmp.mount",
        ".y.service",
    ]
    assert named_units(entries) == ["clamav-daemon.service", "tmp.mount", "x.service"]
