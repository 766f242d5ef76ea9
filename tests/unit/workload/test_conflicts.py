# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The conflict table is complete data, and settings come out of the contract as the workload allows them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rampart.fleet.plugins.filter.workload_contract import workload_contract
from ansible_collections.rampart.fleet.plugins.module_utils.workload.conflict_table import CONFLICTS
from ansible_collections.rampart.fleet.plugins.module_utils.workload.conflicts import MODES, WORKLOADS, Conflict

NOTHING: dict[str, Any] = {
    "gpu": [],
    "rdma": [],
    "rdma_netdevs": [],
    "container_runtime": [],
    "gpu_containers_running": False,
    "rootless_runtime": [],
    "overlay_mounts": False,
    "router_netdevs": [],
    "foreign_modules": [],
    "kdump": False,
}
GPU_HOST = {
    **NOTHING,
    "gpu": ["nvidia"],
    "rdma": ["mlx5_0"],
    "rdma_netdevs": ["rail0"],
    "container_runtime": ["docker"],
}


@pytest.mark.parametrize("conflict", CONFLICTS, ids=[conflict.id for conflict in CONFLICTS])
def test_a_conflict_is_complete(conflict: Conflict) -> None:
    assert set(conflict.values) == set(MODES)
    assert set(conflict.needs) <= set(WORKLOADS)
    assert conflict.settings and conflict.breaks
    assert conflict.evidence and all(link.startswith("https://") for link in conflict.evidence)


# What field reports name, each of which has a row; the rows beyond them came with settings of ours.
REPORTED = (
    "gpu-daemon-reload",
    "noexec-tmp-jit",
    "rdma-memlock",
    "cma-ptrace",
    "rail-rp-filter",
    "tcp-timestamps-paws",
    "container-forwarding",
    "hidepid-gpu-containers",
    "modules-latch",
    "kexec-kdump",
    "seccomp-memfd",
    "sandbox-nvidia-nodes",
    "sandbox-device-allow",
    "audit-flood",
    "acs-p2p",
    "lockdown-unsigned",
    "dcgm-admin",
)


def test_every_reported_conflict_is_there_once() -> None:
    ids = [conflict.id for conflict in CONFLICTS]
    assert len(ids) == len(set(ids))
    assert len(REPORTED) == 17 and set(REPORTED) <= set(ids)


@pytest.mark.parametrize(("mode", "scope"), [("training", 1), ("inference", 2), ("idle", 2), ("quarantine", 3)])
def test_the_mode_decides_the_value(mode: str, scope: int) -> None:
    wanted = {"kernel.yama.ptrace_scope": 0, "kernel.kptr_restrict": 2}
    result = workload_contract(wanted, GPU_HOST, mode)
    assert result["settings"]["kernel.yama.ptrace_scope"] == scope
    assert result["settings"]["kernel.kptr_restrict"] == 2


def test_what_was_replaced_is_told_with_its_reason() -> None:
    result = workload_contract({"net.ipv4.ip_forward": 0}, {**NOTHING, "container_runtime": ["docker"]}, "inference")
    assert result["settings"] == {"net.ipv4.ip_forward": 1}
    (told,) = result["conflicts"]
    assert (told["id"], told["wanted"], told["used"]) == ("container-forwarding", 0, 1)
    assert told["breaks"] and told["evidence"]


def test_a_conflict_needs_its_workload() -> None:
    assert workload_contract({"net.ipv4.ip_forward": 0}, NOTHING, "inference")["settings"] == {"net.ipv4.ip_forward": 0}
    hidden = {"mount.proc.hidepid": 2}
    assert workload_contract(hidden, {**NOTHING, "gpu": ["nvidia"]}, "training")["settings"] == hidden
    assert workload_contract(hidden, GPU_HOST, "training")["settings"]["mount.proc.hidepid"] == 0


@pytest.mark.parametrize(("mode", "value"), [("training", 2), ("inference", 2), ("idle", 1), ("quarantine", 1)])
def test_every_rail_gets_its_own_setting(mode: str, value: int) -> None:
    workload = {**GPU_HOST, "rdma_netdevs": ["rail0", "rail1"]}
    settings = workload_contract({"net.ipv4.conf.*.rp_filter": 1}, workload, mode)["settings"]
    assert settings["net.ipv4.conf.rail0.rp_filter"] == settings["net.ipv4.conf.rail1.rp_filter"] == value
    assert settings["net.ipv4.conf.*.rp_filter"] == 1


def test_a_setting_that_nobody_asked_for_is_added_only_when_the_workload_needs_it() -> None:
    assert workload_contract({}, GPU_HOST, "training")["settings"]["unit.limit_memlock"] == "infinity"
    assert workload_contract({}, NOTHING, "training")["settings"] == {}


def test_a_kept_value_stays() -> None:
    assert workload_contract({"kernel.modules_disabled": 1}, GPU_HOST, "inference")["settings"] == {
        "kernel.modules_disabled": 1,
        "unit.limit_memlock": "infinity",
        "net.ipv4.conf.rail0.rp_filter": 2,
    }
    assert workload_contract({"kernel.modules_disabled": 1}, NOTHING, "training")["settings"] == {
        "kernel.modules_disabled": 0
    }


def test_what_stays_under_a_condition_is_noted() -> None:
    result = workload_contract({"mount.tmp.noexec": True}, GPU_HOST, "inference")
    assert result["settings"]["mount.tmp.noexec"] is True
    (note,) = result["notes"]
    assert note["id"] == "noexec-tmp-jit" and "TRITON_CACHE_DIR" in note["advice"]


def test_a_site_can_take_a_conflict_upon_itself() -> None:
    result = workload_contract({"kernel.yama.ptrace_scope": 0}, NOTHING, "training", ["cma-ptrace"])
    assert result == {"settings": {"kernel.yama.ptrace_scope": 0}, "conflicts": [], "notes": []}


def test_the_input_is_left_alone() -> None:
    wanted = {"net.ipv4.ip_forward": 0}
    workload_contract(wanted, GPU_HOST, "training")
    assert wanted == {"net.ipv4.ip_forward": 0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({}, {}, "trainign"), "mode is 'trainign', wanted one of training"),
        (({}, {}, "idle", ["cma"]), "accepted conflicts cma do not exist, wanted some of acs-p2p"),
        (([], {}, "idle"), "the input is"),
        (({}, None, "idle"), "the workload is None"),
    ],
)
def test_wrong_arguments_are_named(arguments: Any, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        workload_contract(*arguments)


# What each setting becomes in training, inference, idle and quarantine when hardening wants the first value.
APPLIED: list[tuple[str, Any, dict[str, Any], tuple[Any, ...]]] = [
    ("mount.tmp.noexec", True, GPU_HOST, (True, True, True, True)),
    ("unit.limit_memlock", None, GPU_HOST, ("infinity", "infinity", "8M", "8M")),
    ("kernel.yama.ptrace_scope", 2, NOTHING, (1, 2, 2, 3)),
    ("net.ipv4.tcp_timestamps", 0, NOTHING, (1, 1, 1, 1)),
    ("net.ipv4.ip_forward", 0, GPU_HOST, (1, 1, 0, 0)),
    ("net.ipv4.ip_forward", 0, NOTHING, (0, 0, 0, 0)),
    ("mount.proc.hidepid", 2, GPU_HOST, (0, 0, 2, 2)),
    ("kernel.modules_disabled", 1, NOTHING, (0, 1, 0, 1)),
    ("kernel.kexec_load_disabled", 1, NOTHING, (1, 1, 1, 1)),
    ("kernel.kexec_load_disabled", 1, {**NOTHING, "kdump": True}, (0, 0, 0, 0)),
    ("audit.profile", "full", NOTHING, ("identity", "full", "full", "full")),
    ("pcie.acs", "on", GPU_HOST, ("off", "on", "on", "on")),
    ("kernel.lockdown", "confidentiality", GPU_HOST, ("integrity", "integrity", "integrity", "confidentiality")),
    ("module.overlay.blocked", True, GPU_HOST, (False, False, False, False)),
    ("module.overlay.blocked", True, {**NOTHING, "overlay_mounts": True}, (False, False, False, False)),
    ("module.overlay.blocked", True, NOTHING, (True, True, True, True)),
    ("kernel.unprivileged_userns_clone", 0, GPU_HOST, (0, 0, 0, 0)),
    ("kernel.unprivileged_userns_clone", 0, {**NOTHING, "rootless_runtime": ["enroot"]}, (1, 1, 0, 0)),
    ("kernel.module_signatures", True, GPU_HOST, (False, False, False, True)),
    ("kernel.module_signatures", True, {**NOTHING, "foreign_modules": ["zfs"]}, (False, False, False, True)),
    ("kernel.module_signatures", True, NOTHING, (True, True, True, True)),
]


@pytest.mark.parametrize(("setting", "wanted", "workload", "values"), APPLIED)
def test_what_a_setting_becomes_in_each_mode(
    setting: str, wanted: Any, workload: dict[str, Any], values: tuple[Any, ...]
) -> None:
    desired = {} if wanted is None else {setting: wanted}
    assert tuple(workload_contract(desired, workload, mode)["settings"].get(setting) for mode in MODES) == values


@pytest.mark.parametrize("mode", MODES)
def test_an_interface_that_lives_by_announcements_keeps_them(mode: str) -> None:
    wanted = {"net.ipv6.conf.*.accept_ra": 0, "net.ipv6.conf.*.autoconf": 0}
    settings = workload_contract(wanted, {**NOTHING, "router_netdevs": ["eth0"]}, mode)["settings"]
    assert settings == {**wanted, "net.ipv6.conf.eth0.accept_ra": 2, "net.ipv6.conf.eth0.autoconf": 1}
    assert workload_contract(wanted, NOTHING, mode)["settings"] == wanted
