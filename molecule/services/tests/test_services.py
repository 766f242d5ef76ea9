# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Who runs jobs, what is installed, and how updates decide, as the host's own tools answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testinfra.host import Host

# Two versions of packages without a file in them, in an archive that calls itself Debian's for security.
ARCHIVE = """
set -eu
mkdir -p /opt/molecule && cd /opt/molecule
for name in nvidia-molecule libnccl-molecule plain-molecule; do
  for version in 1 2; do
    mkdir -p build/DEBIAN
    printf 'Package: %s\\nVersion: %s\\nArchitecture: all\\n' $name $version > build/DEBIAN/control
    printf 'Maintainer: x <x@x.invalid>\\nDescription: x\\n' >> build/DEBIAN/control
    dpkg-deb --build build ${name}_${version}_all.deb
  done
done
dpkg --install *_1_all.deb
rm -r build
apt-ftparchive packages . > Packages
. /etc/os-release
apt-ftparchive -o APT::FTPArchive::Release::Origin=Debian -o APT::FTPArchive::Release::Label=Debian-Security \
  -o APT::FTPArchive::Release::Codename=$VERSION_CODENAME-security release . > ../Release.molecule
mv ../Release.molecule Release
echo 'deb [trusted=yes] file:/opt/molecule ./' > /etc/apt/sources.list.d/molecule.list
apt-get -qq update
"""
GONE = """
dpkg --purge nvidia-molecule libnccl-molecule plain-molecule
rm -rf /opt/molecule /etc/apt/sources.list.d/molecule.list
apt-get -qq update
"""


@pytest.fixture
def archive(host: Host) -> Iterator[None]:
    host.check_output("sh -c %s", ARCHIVE)
    try:
        yield
    finally:
        host.check_output("sh -c %s", GONE)


def test_nobody_else_schedules_jobs(host: Host) -> None:
    for path in ("/etc/crontab", "/etc/cron.d", "/etc/cron.daily"):
        if host.file(path).exists:
            assert host.file(path).mode & 0o077 == 0, path
    done = host.run("runuser -u games -- crontab -l")
    assert done.rc != 0
    assert "not allowed" in done.stderr


@pytest.mark.usefixtures("archive")
def test_updates_take_what_is_plain_and_leave_the_gpu_alone(host: Host) -> None:
    said = host.run("unattended-upgrade --dry-run --debug")
    text = said.stdout + said.stderr
    chosen = next(line for line in text.splitlines() if line.startswith("Packages that will be upgraded:"))
    assert "plain-molecule" in chosen, "the archive was not considered, so the next line would prove nothing"
    assert "nvidia-molecule" not in chosen
    assert "libnccl-molecule" not in chosen


def test_a_source_without_a_signature_is_refused(host: Host) -> None:
    host.check_output("sh -c %s", "mkdir -p /opt/unsigned && touch /opt/unsigned/Packages")
    host.check_output("sh -c %s", "echo 'deb file:/opt/unsigned ./' > /etc/apt/sources.list.d/unsigned.list")
    try:
        done = host.run("apt-get update")
        assert done.rc != 0
        assert "is not signed" in done.stderr or "does not have a Release file" in done.stderr
    finally:
        host.check_output("rm -rf /opt/unsigned /etc/apt/sources.list.d/unsigned.list")
        host.check_output("apt-get -qq update")


def test_the_next_boot_starts_what_keeps_the_host_current(host: Host) -> None:
    assert host.check_output("systemctl get-default") == "multi-user.target"
    for unit in ("cron.service", "apt-daily.timer", "apt-daily-upgrade.timer"):
        assert host.check_output(f"systemctl is-enabled {unit}") == "enabled"
        assert host.check_output(f"systemctl is-active {unit}") == "active"
    assert host.run("systemctl is-enabled ctrl-alt-del.target").stdout.strip() == "masked"


def test_nothing_but_ssh_waits_on_the_network(host: Host) -> None:
    listening = [name for name in host.socket.get_listening_sockets() if "127.0.0" not in name and "::1" not in name]
    assert {name.rsplit(":", 1)[1] for name in listening if not name.startswith("unix")} <= {"22"}


def test_a_host_that_never_looked_has_lists_of_packages(host: Host) -> None:
    assert host.run("ls /var/lib/apt/lists/*_Packages*").rc == 0
