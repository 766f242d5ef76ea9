# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F401  the imports are the index
"""The index of probe kinds: one import line a file, because what is sent to a host follows static imports only."""

from __future__ import annotations

from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes import (
    accounts,
    antivirus,
    apparmor_processes,
    apt_config,
    apt_pending,
    apt_sources,
    audit_rules,
    auditd,
    authorized_keys,
    boot_menu,
    coredump,
    dot_files,
    file_capabilities,
    file_integrity,
    file_search,
    files,
    hardware,
    identity,
    initramfs,
    intrusion_detection,
    journal_files,
    journald,
    kernel_build,
    kernel_module,
    kernel_state,
    legacy_iptables,
    listening_sockets,
    log_files,
    logging,
    login_banner,
    login_defs,
    module_at_boot,
    mount_at_boot,
    mounts,
    nftables,
    open_ports,
    package,
    pam_policy,
    pam_stack,
    processor,
    radios,
    rescue_shell,
    scheduled_jobs,
    sessions,
    ssh_files,
    sshd_at_boot,
    sshd_effective,
    sudoers,
    sysctl,
    sysctl_at_boot,
    sysctl_match,
    systemd,
    time_sync,
    tmpfiles_at_boot,
    umask,
    unit_at_boot,
    units,
    upgrade_policy,
    workload,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import ProbeKind, index


def kinds() -> dict[str, ProbeKind]:
    """Return every probe kind by name; each module imported above contributes what it declares."""
    return index(globals().values())
