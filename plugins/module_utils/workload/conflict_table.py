# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The conflicts between hardening and GPU workloads, as data. A new row needs evidence."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.workload.conflicts import KEEP, RAIL, ROUTED, Conflict


def _modes(training: Any, inference: Any, idle: Any, quarantine: Any) -> dict[str, Any]:
    return {"training": training, "inference": inference, "idle": idle, "quarantine": quarantine}


CONFLICTS = (
    Conflict(
        id="gpu-daemon-reload",
        settings=("systemd.daemon_reload",),
        needs=("gpu", "container_runtime"),
        breaks="running containers lose their GPU: 'Failed to initialize NVML'",
        evidence=(
            "https://github.com/NVIDIA/nvidia-container-toolkit/issues/48",
            "https://github.com/NVIDIA/nvidia-container-toolkit/issues/251",
            "https://github.com/NVIDIA/nvidia-container-toolkit/issues/1227",
        ),
        values=_modes("guarded", "guarded", "allowed", "guarded"),
        advice="only with CDI or links in /dev/char (nvidia-ctk system create-dev-char-symlinks) while containers run",
    ),
    Conflict(
        id="noexec-tmp-jit",
        settings=("mount.tmp.noexec",),
        needs=("gpu",),
        breaks="torch.compile and Triton cannot load the libraries that they have just compiled",
        evidence=(
            "https://github.com/pytorch/pytorch/issues/91005",
            "https://github.com/pytorch/pytorch/issues/123054",
            "https://github.com/vllm-project/vllm-ascend/issues/10551",
        ),
        values=_modes(KEEP, KEEP, KEEP, KEEP),
        advice="noexec stays; give each service a cache folder on a file system with exec by TRITON_CACHE_DIR, "
        "TORCHINDUCTOR_CACHE_DIR, CUDA_CACHE_PATH and TMPDIR",
    ),
    Conflict(
        id="rdma-memlock",
        settings=("unit.limit_memlock",),
        needs=("rdma",),
        breaks="ibv_reg_mr fails with ENOMEM, and NCCL falls back to TCP without a word",
        evidence=(
            "https://github.com/NVIDIA/nccl-tests/issues/206",
            "https://github.com/NVIDIA/nvidia-container-toolkit/issues/2037",
        ),
        values=_modes("infinity", "infinity", "8M", "8M"),
        advice="on the unit of the job or the runtime only: services do not read limits.conf",
        adds=True,
    ),
    Conflict(
        id="cma-ptrace",
        settings=("kernel.yama.ptrace_scope",),
        breaks="single-copy transfers between processes (CMA of UCX, tensorpipe, MPICH) fail with EPERM",
        evidence=(
            "https://github.com/openucx/ucx/issues/3046",
            "https://github.com/openucx/ucx/issues/3545",
            "https://github.com/pytorch/tensorpipe/issues/188",
        ),
        values=_modes(1, 2, 2, 3),
        advice="with 1 set UCX_TLS without cma; 0 is the site's own decision, by os_hardening_accepted_conflicts",
    ),
    Conflict(
        id="rail-rp-filter",
        settings=(f"net.ipv4.conf.{RAIL}.rp_filter",),
        needs=("rdma",),
        breaks="several rails on one subnet: time-outs, and answers on the wrong interface",
        evidence=(
            "https://github.com/NVIDIA/nccl/issues/1269",
            "https://github.com/NVIDIA/nccl/issues/2158",
            "https://github.com/openucx/ucx/issues/5598",
        ),
        values=_modes(2, 2, 1, 1),
        advice="the kernel uses the greater of all and the interface, so that all=1 holds; better, a subnet a rail",
        adds=True,
    ),
    Conflict(
        id="tcp-timestamps-paws",
        settings=("net.ipv4.tcp_timestamps",),
        breaks="without timestamps old segments are taken for new ones: at 100 Gbit/s 4 GiB of sequence last 0.34 s",
        evidence=("https://www.rfc-editor.org/rfc/rfc7323#section-5",),
        values=_modes(1, 1, 1, 1),
    ),
    Conflict(
        id="container-forwarding",
        settings=("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"),
        needs=("container_runtime",),
        breaks="containers lose their network",
        evidence=(
            "https://github.com/dev-sec/ansible-collection-hardening/issues/213",
            "https://github.com/debops/debops/pull/1878",
        ),
        values=_modes(1, 1, 0, 0),
    ),
    Conflict(
        id="hidepid-gpu-containers",
        settings=("mount.proc.hidepid",),
        needs=("gpu", "container_runtime"),
        breaks="nvidia-container-cli cannot stat /proc/PID, and no container starts",
        evidence=("https://github.com/NVIDIA/nvidia-docker/issues/645",),
        values=_modes(0, 0, 2, 2),
        advice="or an exception by gid=",
    ),
    Conflict(
        id="modules-latch",
        settings=("kernel.modules_disabled",),
        breaks="modules that are not loaded yet stay out until the next boot: nvidia_uvm, nvidia_peermem, rdma_ucm",
        evidence=("https://docs.kernel.org/admin-guide/sysctl/kernel.html#modules-disabled",),
        values=_modes(0, KEEP, 0, KEEP),
        advice="only as the last step after every module of the workload is loaded; it cannot be taken back",
    ),
    Conflict(
        id="kexec-kdump",
        settings=("kernel.kexec_load_disabled",),
        needs=("kdump",),
        breaks="kdump cannot load its kernel, and a crash leaves nothing to look at",
        evidence=("https://docs.kernel.org/admin-guide/sysctl/kernel.html#kexec-load-disabled",),
        values=_modes(0, 0, 0, 0),
        advice="a unit of the site that starts after kdump-tools.service can set it; it cannot be taken back",
    ),
    Conflict(
        id="seccomp-memfd",
        settings=("seccomp.memfd_create",),
        needs=("gpu",),
        breaks="CUDA ends with error 304 when it starts",
        evidence=("https://github.com/NVIDIA/OpenShell/issues/1696",),
        values=_modes("allow", "allow", KEEP, KEEP),
    ),
    Conflict(
        id="sandbox-nvidia-nodes",
        settings=("sandbox.nvidia_nodes",),
        needs=("gpu",),
        breaks="CUDA (driver 570 and later) ends with error 304 without /dev/nvidia-uvm-tools, /proc/driver/nvidia or "
        "writing to /proc/self/task/*/comm",
        evidence=(
            "https://github.com/always-further/nono/pull/673",
            "https://github.com/always-further/nono/issues/658",
        ),
        values=_modes("allow", "allow", KEEP, KEEP),
    ),
    Conflict(
        id="sandbox-device-allow",
        settings=("unit.private_devices",),
        needs=("gpu",),
        breaks="a service sees no GPU with PrivateDevices=, or RestrictAddressFamilies= without AF_UNIX and AF_NETLINK",
        evidence=(
            "https://github.com/NixOS/nixpkgs/issues/331069",
            "https://github.com/NixOS/nixpkgs/pull/266167",
            "https://github.com/vllm-project/vllm/issues/12474",
        ),
        values=_modes("device-allow", "device-allow", KEEP, KEEP),
        advice="list the GPU's nodes with DeviceAllow= instead of PrivateDevices=",
    ),
    Conflict(
        id="audit-flood",
        settings=("audit.profile",),
        breaks="rules for every chmod, chown and unlink fill the backlog: stalls, lost records, with -f 2 a panic",
        evidence=(
            "https://github.com/ComplianceAsCode/content/issues/6598",
            "https://github.com/ComplianceAsCode/content/issues/14565",
            "https://github.com/linux-audit/audit-userspace/issues/273",
        ),
        values=_modes("identity", "full", "full", "full"),
        advice="in training only identity, execution, modules and privileged commands",
    ),
    Conflict(
        id="acs-p2p",
        settings=("pcie.acs",),
        needs=("gpu", "rdma"),
        breaks="ACS sends peer-to-peer traffic through the root complex; without it a device can bypass the IOMMU",
        evidence=(
            "https://github.com/NVIDIA/ngc_multinode_perf",
            "https://docs.kernel.org/driver-api/pci/p2pdma.html",
        ),
        values=_modes("off", KEEP, "on", "on"),
        advice="off on bare metal with one tenant is a declared risk; with several tenants ATS and ACS for each path",
    ),
    Conflict(
        id="iommu-p2p",
        settings=("cmdline.iommu",),
        needs=("gpu", "rdma"),
        breaks="translation of every access slows GPUDirect down, or sends it through memory",
        evidence=(
            "https://github.com/NVIDIA/ngc_multinode_perf",
            "https://docs.kernel.org/driver-api/pci/p2pdma.html",
        ),
        values=_modes("passthrough", KEEP, KEEP, KEEP),
        advice="passthrough on bare metal with one tenant is a declared risk: a device reads all memory of the host",
    ),
    Conflict(
        id="lockdown-unsigned",
        settings=("kernel.lockdown",),
        needs=("gpu",),
        breaks="unsigned modules (nvidia, nvidia_peermem, nvidia_fs) are refused",
        evidence=(
            "https://github.com/bottlerocket-os/bottlerocket/issues/4218",
            "https://github.com/NVIDIA/gds-nvidia-fs/issues/81",
            "https://github.com/NVIDIA/gpu-operator/issues/141",
        ),
        values=_modes("integrity", "integrity", "integrity", KEEP),
        advice="every module from outside the kernel signed by DKMS with an enrolled machine owner key",
    ),
    Conflict(
        id="overlay-containers",
        settings=("module.overlay.blocked",),
        needs=("container_runtime",),
        breaks="no container starts: images are stacked by overlay mounts",
        evidence=(
            "https://docs.docker.com/engine/storage/drivers/overlayfs-driver/",
            "https://github.com/containerd/containerd/blob/main/docs/snapshotters/README.md",
        ),
        values=_modes(False, False, False, False),
    ),
    Conflict(
        id="overlay-root",
        settings=("module.overlay.blocked",),
        needs=("overlay_mounts",),
        breaks="a host whose own files are an overlay mount, such as a diskless node, does not boot",
        evidence=("https://docs.kernel.org/filesystems/overlayfs.html",),
        values=_modes(False, False, False, False),
    ),
    Conflict(
        id="rootless-userns",
        settings=("kernel.unprivileged_userns_clone",),
        needs=("rootless_runtime",),
        breaks="podman and enroot cannot start containers for people who are not root",
        evidence=(
            "https://github.com/NVIDIA/enroot/blob/master/doc/requirements.md",
            "https://github.com/containers/podman/blob/main/docs/tutorials/rootless_tutorial.md",
        ),
        values=_modes(1, 1, 0, 0),
    ),
    Conflict(
        id="ra-default-route",
        settings=(f"net.ipv6.conf.{ROUTED}.accept_ra",),
        needs=("router_netdevs",),
        breaks="the default route over IPv6 is what a router announces: it runs out, and the operator is locked out",
        evidence=("https://www.rfc-editor.org/rfc/rfc4861#section-6.3.4",),
        # 2, because 1 counts for nothing on a host that forwards for its containers.
        values=_modes(2, 2, 2, 2),
        advice="give the interface an address and a gateway of its own, and accept_ra becomes 0",
        adds=True,
    ),
    Conflict(
        id="ra-address",
        settings=(f"net.ipv6.conf.{ROUTED}.autoconf",),
        needs=("router_netdevs",),
        breaks="the address that the interface made from the announcement runs out",
        evidence=("https://www.rfc-editor.org/rfc/rfc4862#section-5.5.4",),
        values=_modes(1, 1, 1, 1),
        advice="give the interface an address and a gateway of its own, and autoconf becomes 0",
        adds=True,
    ),
    Conflict(
        id="signatures-gpu",
        settings=("kernel.module_signatures",),
        needs=("gpu",),
        breaks="the driver of the GPU is built on the host and refused unless the kernel knows the key that signed it",
        evidence=(
            "https://github.com/NVIDIA/gpu-operator/issues/141",
            "https://github.com/bottlerocket-os/bottlerocket/issues/4218",
        ),
        values=_modes(False, False, False, KEEP),
        advice="sign by DKMS with an enrolled machine owner key, then accept it in os_hardening_accepted_conflicts",
    ),
    Conflict(
        id="signatures-foreign",
        settings=("kernel.module_signatures",),
        needs=("foreign_modules",),
        breaks="modules from outside the kernel that are loaded now (MLNX_OFED, ZFS, Lustre) would be refused",
        evidence=("https://docs.kernel.org/admin-guide/module-signing.html",),
        values=_modes(False, False, False, KEEP),
        advice="sign by DKMS with an enrolled machine owner key, then accept it in os_hardening_accepted_conflicts",
    ),
    Conflict(
        id="dcgm-admin",
        settings=("dcgm.exporter_capabilities",),
        needs=("gpu",),
        breaks="profiling metrics of DCGM need CAP_SYS_ADMIN",
        evidence=(
            "https://github.com/NVIDIA/dcgm-exporter/issues/165",
            "https://github.com/NVIDIA/dcgm-exporter/pull/427",
            "https://github.com/NVIDIA/DCGM/issues/153",
        ),
        values=_modes("host-engine", "host-engine", "host-engine", "none"),
        advice="the host engine as a unit of root, the exporter without privileges, both on loopback or behind mTLS",
    ),
)
