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


def test_passwords_are_for_root_alone(host: Host) -> None:
    for path in ("/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-"):
        if host.file(path).exists:
            status, output = as_nobody(host, f"cat {path}")
            assert (status != 0, "Permission denied" in output) == (True, True), path
