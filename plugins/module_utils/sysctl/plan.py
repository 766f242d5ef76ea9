# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What has to be set in the running kernel: wanted against found, and what cannot be set with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ansible_collections.rampart.fleet.plugins.module_utils.sysctl.boot import matches
from ansible_collections.rampart.fleet.plugins.module_utils.sysctl.keys import dotted, is_pattern

# Values that the kernel keeps until the next boot (admin-guide/sysctl/kernel.rst, admin-guide/LSM/Yama.rst).
LATCHED = {
    "kernel/kexec_load_disabled": "1",
    "kernel/modules_disabled": "1",
    "kernel/unprivileged_bpf_disabled": "1",
    "kernel/yama/ptrace_scope": "3",
}
# What of the kernel a container has for itself (namespaces(7)); all else belongs to every container of the machine.
_NAMESPACED = (
    "net/",
    "user/",
    "fs/mqueue/",
    "kernel/msg",
    "kernel/shm",
    "kernel/sem",
    "kernel/hostname",
    "kernel/domainname",
)


class KernelParameters(Protocol):
    """The running kernel's parameters, by path form."""

    def expand(self, pattern: str) -> list[str]:
        """Return the existing keys that a pattern stands for."""

    def read(self, key: str) -> str | None:
        """Return a key's value in normal form, or None when this kernel has no such key."""

    def why_read_only(self, key: str) -> str | None:
        """Return why a key cannot be written, or None when it can."""

    def write(self, key: str, value: str) -> None:
        """Set a key; OSError when the kernel refuses."""


@dataclass(frozen=True)
class Change:
    """One key to set."""

    key: str
    before: str
    after: str


@dataclass
class Plan:
    """What to set, what cannot be set and why, what waits for a boot, and every wanted key with its value."""

    changes: list[Change] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    reboot: list[dict[str, str]] = field(default_factory=list)
    wanted: dict[str, str] = field(default_factory=dict)


def expand(settings: Mapping[str, str], kernel: KernelParameters) -> dict[str, str]:
    """Return the settings with patterns replaced by the keys that exist; an exact key beats every pattern."""
    expanded: dict[str, str] = {}
    for key, value in settings.items():
        if is_pattern(key):
            expanded.update((name, value) for name in kernel.expand(key) if matches(name, key))
    expanded.update((key, value) for key, value in settings.items() if not is_pattern(key))
    return expanded


def decide(settings: Mapping[str, str], kernel: KernelParameters, shared_kernel: bool) -> Plan:
    """Return the plan for this kernel; with `shared_kernel` only what a container has for itself is set."""
    plan = Plan()
    for key, value in sorted(expand(settings, kernel).items(), key=_rank):
        plan.wanted[key] = value
        found = kernel.read(key)
        reason = _obstacle(key, found, kernel, shared_kernel)
        if found == value:
            continue
        if reason is not None:
            plan.skipped.append({"key": dotted(key), "wanted": value, "found": found or "", "reason": reason})
        elif found is not None and LATCHED.get(key) == found:
            plan.reboot.append({"key": dotted(key), "wanted": value, "found": found})
        elif found is not None:
            plan.changes.append(Change(key, found, value))
    return plan


def _rank(item: tuple[str, str]) -> tuple[int, str]:
    # Switching forwarding resets other parameters of the same family to their defaults (ip-sysctl.rst): it goes first.
    return (0 if item[0].endswith(("/ip_forward", "/forwarding")) else 1, item[0])


def _obstacle(key: str, found: str | None, kernel: KernelParameters, shared_kernel: bool) -> str | None:
    if found is None:
        return "this kernel has no such parameter (its feature or module is not there)"
    if shared_kernel and not key.startswith(_NAMESPACED):
        return "the kernel is shared with the machine that carries this container: set it there"
    return kernel.why_read_only(key)


class KernelRefused(Exception):
    """The kernel did not take values; the message names each with what was written and what is there now."""


def apply(plan: Plan, kernel: KernelParameters) -> None:
    """Set the changes and read them back; on any failure set the former values again and raise KernelRefused."""
    done: list[Change] = []
    refused: list[str] = []
    for change in plan.changes:
        try:
            kernel.write(change.key, change.after)
            done.append(change)
        except OSError as error:
            refused.append(f"{dotted(change.key)}: writing {change.after!r} failed: {error.strerror}")
            break
    if not refused:
        refused = _second_pass(plan, kernel)
    if refused:
        _restore(done, kernel)
        raise KernelRefused("; ".join(refused))


def _second_pass(plan: Plan, kernel: KernelParameters) -> list[str]:
    # What the change of a parent reset after we had looked, and whatever did not stay.
    for key, value in _reset(plan, kernel):
        try:
            kernel.write(key, value)
        except OSError as error:
            return [f"{dotted(key)}: writing {value!r} failed: {error.strerror}"]
    return [
        f"{dotted(key)}: wrote {value!r}, the kernel has {kernel.read(key)!r}" for key, value in _reset(plan, kernel)
    ]


def _reset(plan: Plan, kernel: KernelParameters) -> list[tuple[str, str]]:
    out_of_reach = {entry["key"] for entry in (*plan.skipped, *plan.reboot)}
    return [
        (key, value)
        for key, value in plan.wanted.items()
        if dotted(key) not in out_of_reach and kernel.read(key) != value and kernel.why_read_only(key) is None
    ]


def _restore(done: Sequence[Change], kernel: KernelParameters) -> None:
    for change in reversed(done):
        try:
            kernel.write(change.key, change.before)
        except OSError:
            # A latched value cannot go back; the others still can.
            continue
