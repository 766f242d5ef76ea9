# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What a workload needs still works on a hardened host: where hardening and workload collide, the contract decides.

Devices that the lab has not (RDMA) are told to the role as facts; what the role makes of them is then real.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import running_lab
from .fleet import Fleet, ansible, said_of_failure

pytestmark = pytest.mark.lab

HOST = "host1"
_RUNTIME = """
install -D -m 0755 /bin/true /usr/local/bin/podman
cat > /etc/systemd/system/containerd.service <<'EOF'
[Service]
ExecStart=/bin/sleep infinity
EOF
systemctl daemon-reload
systemctl start containerd.service
"""
_OVERLAY = """
folder=$(mktemp -d /run/overlay.XXXXXX)
mkdir "$folder/lower" "$folder/upper" "$folder/work" "$folder/merged"
echo image > "$folder/lower/file"
mount -t overlay -o "lowerdir=$folder/lower,upperdir=$folder/upper,workdir=$folder/work" none "$folder/merged"
cat "$folder/merged/file"
umount "$folder/merged"
rm -r "$folder"
"""
_COMPILED = """
systemd-run --quiet --pipe --wait --property CacheDirectory=kernels --property ProtectSystem=strict \
  --setenv TRITON_CACHE_DIR=/var/cache/kernels --setenv TMPDIR={folder} \
  sh -c 'cp /bin/echo {folder}/kernel && {folder}/kernel loaded; code=$?; rm -f {folder}/kernel; exit $code'
"""
_PLAY = """
- name: A host with the facts of a GPU host is hardened
  hosts: rampart
  become: true
  gather_facts: false
  tasks:
    - name: The host has RDMA and a runtime
      ansible.builtin.set_fact:
        cacheable: true
        rampart_workload:
          gpu: [nvidia]
          rdma: [mlx5_0]
          rdma_netdevs: [eth0]
          container_runtime: [containerd]
          rootless_runtime: []
          gpu_containers_running: false
          overlay_mounts: true
          router_netdevs: []
          modules: []
          foreign_modules: [nvidia]
          kdump: true
    - name: The host is hardened
      ansible.builtin.include_role:
        name: rampart.fleet.os_hardening
"""


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A host with a container runtime that serves inference, hardened by the roles that the contract binds."""
    reports = tmp_path_factory.mktemp("workload")
    with running_lab("workload", "single", reports) as fleet:
        fleet.shell(HOST, _RUNTIME)
        roles = '{"rampart_roles": ["os_hardening", "file_systems"], "rampart_mode": "inference"}'
        done = fleet.playbook("harden", "-e", roles)
        assert done.returncode == 0, said_of_failure(done)
        yield fleet


def test_a_runtime_keeps_overlay_and_forwarding(worker: Fleet) -> None:
    blocked = worker.shell(HOST, "cat /etc/modprobe.d/rampart.conf")
    assert "install udf /bin/false" in blocked and "overlay" not in blocked
    assert worker.shell(HOST, "cat /proc/sys/net/ipv4/ip_forward").strip() == "1"
    assert worker.shell(HOST, _OVERLAY).strip() == "image"


def test_people_keep_their_user_namespaces_at_the_next_boot(worker: Fleet) -> None:
    assert "kernel.unprivileged_userns_clone = 1" in worker.shell(HOST, "cat /etc/sysctl.d/99-rampart.conf")


def test_the_controls_see_a_runtime_as_it_is(worker: Fleet) -> None:
    states = worker.states(HOST, roles="os_hardening", ids="RMP-NETK-009,RMP-NETK-024")
    assert states == {"RMP-NETK-009": "pass", "RMP-NETK-024": "pass"}


def test_compiled_kernels_run_from_their_cache_and_not_from_tmp(worker: Fleet) -> None:
    assert worker.shell(HOST, _COMPILED.format(folder="/var/cache/kernels")).strip() == "loaded"
    assert worker.shell(HOST, _COMPILED.format(folder="/tmp"), check=False) == ""


def test_a_service_with_rdma_may_lock_its_memory(worker: Fleet, tmp_path: Path) -> None:
    play = tmp_path / "harden.yml"
    play.write_text(f"---{_PLAY}")
    done = ansible("ansible-playbook", str(play), "-i", str(worker.inventory), "-e", "rampart_mode=inference")
    assert done.returncode == 0, said_of_failure(done)
    # A container cannot raise its limits: what the service manager would set is as near as the lab comes.
    limit = worker.shell(HOST, "systemctl daemon-reload; systemctl show --property LimitMEMLOCK containerd.service")
    assert limit.strip() == "LimitMEMLOCK=infinity"
    files = worker.shell(HOST, "cat /etc/sysctl.d/99-rampart.conf; ls /etc/tmpfiles.d")
    assert "net.ipv4.conf.eth0.rp_filter = 2" in files, "the rail lost its loose filter"
    assert "kernel.kexec_load_disabled = 0" in files, "kdump cannot load its kernel"
    assert "rampart-modules.conf" not in files, "the driver of the GPU would be refused"
