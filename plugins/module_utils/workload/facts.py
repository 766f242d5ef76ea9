# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What a host carries: GPUs, RDMA devices, container runtimes. Measured from devices and sockets, never from roles."""

from __future__ import annotations

import posixpath
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.systemd_reload import gpu_containers, is_gpu_device

# PCI classes (pci.ids): 0300 VGA, 0302 3D controller, 0380 other display, 1200 processing accelerator.
_PCI_GPUS = {
    "nvidia": ("0x10de", ("0x0300", "0x0302", "0x1200")),
    # A 1002:0300 is often the console of the mainboard; an Instinct is one of the others.
    "amd": ("0x1002", ("0x0302", "0x0380", "0x1200")),
}
_GPU_NODES = {"nvidia": ("/dev/nvidiactl",), "amd": ("/dev/kfd",)}
_RUNTIMES = {
    "docker": ("dockerd", ("/run/docker.sock",)),
    "containerd": ("containerd", ("/run/containerd/containerd.sock", "/run/k3s/containerd/containerd.sock")),
    "crio": ("crio", ("/run/crio/crio.sock",)),
    "podman": ("podman", ()),
    "enroot": ("enroot", ()),
}

# Runtimes whose containers people start without being root, in a user namespace of their own.
_ROOTLESS = ("podman", "enroot")
# linux/ipv6_route.h: a default route that a router announced.
_ANNOUNCED_DEFAULT = 0x00040000 | 0x00010000


def measure(host: Host) -> dict[str, Any]:
    """Return the fact `rampart_workload`.

    Shape: `{gpu: [nvidia|amd], rdma: [device], rdma_netdevs: [interface], container_runtime: [name],
    rootless_runtime: [name], gpu_containers_running: bool, overlay_mounts: bool, router_netdevs: [interface],
    modules: [name], foreign_modules: [name], kdump: bool}`. What cannot be read counts as not there, except a GPU
    container: see there.
    """
    gpu = [vendor for vendor in _PCI_GPUS if has_gpu(host, vendor)]
    rdma = _rdma(host)
    runtimes = [name for name in _RUNTIMES if _has_runtime(host, name)]
    return {
        "gpu": gpu,
        "rdma": rdma,
        "rdma_netdevs": sorted({name for device in rdma for name in _netdevs(host, device)}),
        "container_runtime": runtimes,
        "rootless_runtime": [name for name in runtimes if name in _ROOTLESS],
        "gpu_containers_running": bool(gpu) and _gpu_containers_running(host),
        "overlay_mounts": " - overlay " in _text(host, "/proc/self/mountinfo"),
        "router_netdevs": _router_netdevs(host),
        "modules": sorted(line.split()[0] for line in _text(host, "/proc/modules").splitlines() if line.strip()),
        "foreign_modules": [] if in_container(host) else _foreign_modules(host),
        "kdump": _word(host, "/sys/kernel/kexec_crash_size") not in ("", "0") and not in_container(host),
    }


def in_container(host: Host) -> bool:
    """Say whether the host is a container of systemd's."""
    # /sys shows the devices of the machine that carries the container; only those in /dev are ours.
    return host.exists("/run/systemd/container")


def has_gpu(host: Host, vendor: str) -> bool:
    """Say whether the host has a GPU of a vendor (nvidia or amd), with or without its driver."""
    return any(host.exists(path) for path in _GPU_NODES[vendor]) or bool(gpus_on_bus(host, vendor))


def gpus_on_bus(host: Host, vendor: str) -> list[str]:
    """Return the PCI addresses of a vendor's GPUs; a container does not see the bus."""
    if in_container(host):
        return []
    return [posixpath.basename(path) for path in host.glob("/sys/bus/pci/devices/*") if _is_gpu(host, path, vendor)]


def _is_gpu(host: Host, device: str, vendor: str) -> bool:
    number, classes = _PCI_GPUS[vendor]
    return _word(host, device + "/vendor") == number and _word(host, device + "/class")[:6] in classes


def _rdma(host: Host) -> list[str]:
    if in_container(host) and not host.exists("/dev/infiniband"):
        return []
    return [posixpath.basename(path) for path in host.glob("/sys/class/infiniband/*")]


def _netdevs(host: Host, device: str) -> list[str]:
    base = f"/sys/class/infiniband/{device}"
    # `parent` is what rxe and siw have instead of a PCI device with network interfaces.
    soft = _word(host, base + "/parent")
    return [soft] if soft else [posixpath.basename(path) for path in host.glob(base + "/device/net/*")]


def _has_runtime(host: Host, name: str) -> bool:
    program, sockets = _RUNTIMES[name]
    installed = host.which(program) is not None or host.exists(f"/usr/local/bin/{program}")
    return installed or any(host.exists(path) for path in sockets)


def _router_netdevs(host: Host) -> list[str]:
    """Return the interfaces whose IPv6 default route the kernel learned from a router, and keeps learning."""
    rows = [line.split() for line in _text(host, "/proc/net/ipv6_route").splitlines()]
    learned = _ANNOUNCED_DEFAULT
    routed = sorted({row[9] for row in rows if len(row) == 10 and int(row[8], 16) & learned == learned})
    # A network manager that listens to routers itself has switched the kernel's ear off.
    return [name for name in routed if _word(host, f"/proc/sys/net/ipv6/conf/{name}/accept_ra") not in ("", "0")]


def _foreign_modules(host: Host) -> list[str]:
    """Return the loaded modules that do not come with the kernel: proprietary, out of tree, or unsigned."""
    taints = {path.split("/")[3]: _word(host, path) for path in host.glob("/sys/module/*/taint")}
    return sorted(name for name, taint in taints.items() if set(taint) & set("POE"))


def _gpu_containers_running(host: Host) -> bool:
    cgroups, files = {}, {}
    for name in host.listdir("/proc"):
        if name.isdigit():
            held = _open_devices(host, name)
            if held:
                files[int(name)] = held
                cgroups[int(name)] = _text(host, f"/proc/{name}/cgroup")
    return bool(gpu_containers(cgroups, files))


def _open_devices(host: Host, pid: str) -> list[str]:
    held = []
    for link in host.glob(f"/proc/{pid}/fd/*"):
        try:
            target = host.readlink(link)
        except (Absent, ProbeError):
            continue
        if is_gpu_device(target):
            held.append(target)
    return held


def _word(host: Host, path: str) -> str:
    return _text(host, path).strip()


def _text(host: Host, path: str) -> str:
    try:
        return host.read_text(path)
    except (Absent, ProbeError):
        return ""
