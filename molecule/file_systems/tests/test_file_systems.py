# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Mounts and files as an ordinary user meets them."""

from __future__ import annotations

import pytest
from testinfra.host import Host


def as_nobody(host: Host, script: str) -> tuple[int, str]:
    """Run a script as an account that owns nothing: exit code and all output."""
    done = host.run("setpriv --reuid=nobody --regid=nogroup --clear-groups sh -c %s", f"{{ {script}; }} 2>&1")
    return int(done.rc), str(done.stdout).strip()


def test_a_home_is_not_for_others(host: Host) -> None:
    assert host.file("/home/ops").mode & 0o007 == 0


@pytest.mark.parametrize("path", ["/dev/shm", "/tmp"])
def test_set_uid_programs_mean_nothing_where_everybody_writes(host: Host, path: str) -> None:
    options = host.check_output(f"findmnt --noheadings --output OPTIONS --target {path}").split(",")
    assert {"nosuid", "nodev"} <= set(options)


def test_the_table_of_mounts_says_what_shared_memory_has_and_is_valid(host: Host) -> None:
    options = host.check_output("findmnt --fstab --noheadings --output OPTIONS --target /dev/shm").split(",")
    assert {"nosuid", "nodev", "noexec"} <= set(options)
    assert host.run("findmnt --verify").rc == 0


def test_passwords_are_for_root_alone(host: Host) -> None:
    for path in ("/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-"):
        if host.file(path).exists:
            status, output = as_nobody(host, f"cat {path}")
            assert (status != 0, "Permission denied" in output) == (True, True), path


COMPILER = """\
[Service]
Type=oneshot
User=games
ExecStart=/bin/sh -c 'for folder in "$TMPDIR" "$TRITON_CACHE_DIR" "$TORCHINDUCTOR_CACHE_DIR" "$CUDA_CACHE_PATH"; do \
cp /bin/true "$folder/compiled" && "$folder/compiled" || exit 3; done; \
cp /bin/true /tmp/compiled || exit 4; ! /tmp/compiled'
"""


def test_a_service_runs_what_it_compiles_from_its_own_folder_and_not_from_tmp(host: Host) -> None:
    unit = "/run/systemd/system/molecule-compiler.service"
    host.check_output(f"sh -c 'mkdir -p /run/systemd/system; printf %%s \"$1\" > {unit}' - %s", COMPILER)
    host.check_output("systemctl daemon-reload")
    try:
        host.check_output("systemctl start molecule-compiler.service")
        folder = host.file("/var/cache/rampart-compiled/molecule-compiler")
        assert (folder.user, folder.mode) == ("games", 0o700)
    finally:
        host.run(f"rm -f {unit} /tmp/compiled")
        host.run("systemctl daemon-reload")


def test_a_program_in_shared_memory_does_not_start(host: Host) -> None:
    host.check_output("cp /bin/true /dev/shm/molecule")
    status, output = as_nobody(host, "/dev/shm/molecule")
    host.check_output("rm /dev/shm/molecule")
    assert (status, "Permission denied" in output) == (126, True)
