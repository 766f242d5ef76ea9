# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Setting the running kernel: what is set, what is skipped and why, and that a refusal changes nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.sysctl.boot import matches
from ansible_collections.rampart.fleet.plugins.module_utils.sysctl.keys import settings_of
from ansible_collections.rampart.fleet.plugins.module_utils.sysctl.plan import KernelRefused, apply, decide


class Kernel:
    """A kernel in memory: read-only keys, keys that refuse, and what a write does besides."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values
        self.read_only: set[str] = set()
        self.refuses: set[str] = set()
        self.ignores: set[str] = set()
        self.besides: Callable[[str], None] = lambda key: None
        self.written: list[str] = []

    def expand(self, pattern: str) -> list[str]:
        return sorted(key for key in self.values if matches(key, pattern))

    def read(self, key: str) -> str | None:
        return self.values.get(key)

    def why_read_only(self, key: str) -> str | None:
        return "Read-only file system" if key in self.read_only else None

    def write(self, key: str, value: str) -> None:
        if key in self.refuses:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self.written.append(key)
        if key not in self.ignores:
            self.values[key] = value
        self.besides(key)


@pytest.fixture
def kernel() -> Kernel:
    interfaces = {f"net/ipv4/conf/{name}/rp_filter": "0" for name in ("all", "default", "eth0", "rail0")}
    return Kernel({"kernel/a": "0", "kernel/yama/ptrace_scope": "1", "net/ipv4/ip_forward": "1", **interfaces})


def test_what_differs_is_set_and_a_second_run_has_nothing_to_do(kernel: Kernel) -> None:
    settings = settings_of({"kernel.a": 1, "net.ipv4.ip_forward": 0, "net.ipv4.conf.*.rp_filter": 1})
    plan = decide(settings, kernel, shared_kernel=False)
    apply(plan, kernel)
    assert kernel.written[0] == "net/ipv4/ip_forward", "forwarding resets its family, so it goes first"
    assert set(kernel.values.values()) == {"0", "1"} and kernel.values["net/ipv4/conf/eth0/rp_filter"] == "1"
    again = decide(settings, kernel, shared_kernel=False)
    assert (again.changes, again.skipped, again.reboot) == ([], [], [])


def test_an_exact_key_beats_a_pattern(kernel: Kernel) -> None:
    settings = settings_of({"net.ipv4.conf.rail0.rp_filter": 2, "net.ipv4.conf.*.rp_filter": 1})
    apply(decide(settings, kernel, shared_kernel=False), kernel)
    assert kernel.values["net/ipv4/conf/rail0/rp_filter"] == "2"
    assert kernel.values["net/ipv4/conf/eth0/rp_filter"] == "1"


def test_what_a_write_reset_is_set_again(kernel: Kernel) -> None:
    kernel.values["net/ipv4/conf/eth0/rp_filter"] = "1"

    def reset(key: str) -> None:
        if key == "net/ipv4/ip_forward":
            kernel.values["net/ipv4/conf/eth0/rp_filter"] = "0"

    kernel.besides = reset
    plan = decide(
        settings_of({"net.ipv4.ip_forward": 0, "net.ipv4.conf.eth0.rp_filter": 1}), kernel, shared_kernel=False
    )
    apply(plan, kernel)
    assert kernel.values["net/ipv4/conf/eth0/rp_filter"] == "1"


def test_a_container_sets_only_what_is_its_own(kernel: Kernel) -> None:
    plan = decide(settings_of({"kernel.a": 1, "net.ipv4.ip_forward": 0}), kernel, shared_kernel=True)
    assert [change.key for change in plan.changes] == ["net/ipv4/ip_forward"]
    assert plan.skipped[0]["key"] == "kernel.a" and "shared" in plan.skipped[0]["reason"]
    assert plan.skipped[0]["found"] == "0"


def test_a_shared_kernel_that_already_has_the_value_is_not_reported(kernel: Kernel) -> None:
    assert decide(settings_of({"kernel.a": 0}), kernel, shared_kernel=True).skipped == []


def test_missing_and_read_only_keys_are_reported(kernel: Kernel) -> None:
    kernel.read_only = {"kernel/a"}
    plan = decide(settings_of({"kernel.a": 1, "kernel.none": 1}), kernel, shared_kernel=False)
    assert [(entry["key"], entry["reason"][:16]) for entry in plan.skipped] == [
        ("kernel.a", "Read-only file s"),
        ("kernel.none", "this kernel has "),
    ]
    assert plan.changes == []


def test_a_latched_value_waits_for_a_boot(kernel: Kernel) -> None:
    kernel.values["kernel/yama/ptrace_scope"] = "3"
    plan = decide(settings_of({"kernel.yama.ptrace_scope": 1}), kernel, shared_kernel=False)
    assert plan.changes == [] and plan.reboot[0]["key"] == "kernel.yama.ptrace_scope"


def test_a_value_that_is_not_latched_is_set(kernel: Kernel) -> None:
    assert decide(settings_of({"kernel.yama.ptrace_scope": 2}), kernel, shared_kernel=False).changes != []


@pytest.mark.parametrize("kind", ["refuses", "ignores"])
def test_a_refusal_puts_the_former_values_back(kernel: Kernel, kind: str) -> None:
    before = dict(kernel.values)
    setattr(kernel, kind, {"net/ipv4/conf/rail0/rp_filter"})
    plan = decide(settings_of({"kernel.a": 1, "net.ipv4.conf.*.rp_filter": 1}), kernel, shared_kernel=False)
    with pytest.raises(
        KernelRefused, match=r"net\.ipv4\.conf\.rail0\.rp_filter: (writing '1' failed|wrote '1', the kernel has '0')"
    ):
        apply(plan, kernel)
    assert kernel.values == before
