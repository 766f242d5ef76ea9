# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Who runs jobs, what is installed and how apt decides, as the host's own tools answer."""

from __future__ import annotations

from testinfra.host import Host


def test_nobody_else_schedules_jobs(host: Host) -> None:
    for path in ("/etc/crontab", "/etc/cron.d", "/etc/cron.daily"):
        if host.file(path).exists:
            assert host.file(path).mode & 0o077 == 0, path
