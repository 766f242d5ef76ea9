# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What will be mounted, from recorded disks; and hidden files, capabilities, lists of mounts."""

from __future__ import annotations

import stat

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import FileStat
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.dot_files import dot_files
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.file_capabilities import file_capabilities
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.mount_at_boot import mount_at_boot
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.mounts import mount_list, mount_of

from .recorded_host import RecordedHost

ETC = "/etc/systemd/system"
REMOUNT = f"{ETC}/r.service"
SERVICE = "[Service]\nExecStart=-/bin/mount -o remount,nosuid,nodev,noexec /dev/shm\n"
UNIT = "[Mount]\nWhat=tmpfs\nOptions=mode=1777,nosuid,nodev\n"


def options(path: str, files: dict[str, str], links: dict[str, str] | None = None) -> set[str]:
    return set(mount_at_boot(RecordedHost(files=files, links=links or {}), {"path": path})["options"])


def test_fstab_says_it_and_the_last_line_of_a_path_counts() -> None:
    table = (
        "# c\nUUID=1 /home ext4 defaults,nodev 0 2\nUUID=1 /home ext4 nosuid 0 2\nx /my\\040data nfs user,exec 0 0\n"
    )
    assert options("/home", {"/etc/fstab": table}) == {"nosuid"}
    assert options("/my data", {"/etc/fstab": table}) == {"user", "exec", "nosuid", "nodev"}
    for missing in ("/var", "/home/x"):
        with pytest.raises(Absent):
            options(missing, {"/etc/fstab": table})


def test_what_is_not_mounted_by_itself_is_not_there_after_a_boot() -> None:
    with pytest.raises(Absent):
        options("/home", {"/etc/fstab": "UUID=1 /home ext4 noauto,nodev 0 2\n"})


def test_a_unit_wins_over_fstab_and_a_drop_in_over_both() -> None:
    files = {"/etc/fstab": "tmpfs /tmp tmpfs exec 0 0\n"}
    drop_in = f"{ETC}/tmp.mount.d/z.conf"
    assert options("/tmp", {**files, drop_in: "[Mount]\nOptions=nodev\n"}) == {"nodev"}
    files |= {f"{ETC}/tmp.mount": UNIT, f"{ETC}/local-fs.target.wants/tmp.mount": UNIT}
    assert options("/tmp", files) == {"mode=1777", "nosuid", "nodev"}
    assert options("/tmp", {**files, drop_in: "[Mount]\nOptions=\n"}) == set()


def test_a_unit_that_nothing_wants_or_that_is_masked_mounts_nothing() -> None:
    with pytest.raises(Absent, match="wanted by nothing"):
        options("/tmp", {f"{ETC}/tmp.mount": UNIT})
    with pytest.raises(Absent, match="masks"):
        options("/tmp", {"/etc/fstab": "tmpfs /tmp tmpfs nodev 0 0\n"}, {f"{ETC}/tmp.mount": "/dev/null"})


def test_systemd_mounts_some_paths_itself_and_fstab_replaces_their_options() -> None:
    assert options("/dev/shm", {}) == {"nosuid", "nodev"}
    assert options("/dev/shm", {"/etc/fstab": "tmpfs /dev/shm tmpfs defaults 0 0\n"}) == set()


def test_a_service_that_starts_at_boot_and_remounts_has_the_last_word() -> None:
    wanted = {f"{ETC}/sysinit.target.wants/r.service": SERVICE}
    assert options("/dev/shm", {REMOUNT: SERVICE, **wanted}) == {"nosuid", "nodev", "noexec"}
    assert options("/dev/shm", {REMOUNT: SERVICE}) == {"nosuid", "nodev"}
    taken_back = {f"{ETC}/r.service.d/a.conf": "[Service]\nExecStart=\nExecStart=/bin/mount -o remount,exec /dev/shm\n"}
    assert options("/dev/shm", {REMOUNT: SERVICE, **wanted, **taken_back}) == {"nosuid", "nodev", "exec"}
    masked = {**wanted, "/etc/fstab": ""}
    assert options("/dev/shm", masked, {REMOUNT: "/dev/null"}) == {"nosuid", "nodev"}


def test_what_the_manager_of_a_container_mounts_is_known_by_what_is_added_to_it() -> None:
    files = {"/proc/self/mountinfo": "30 1 0:30 / /tmp rw,noexec - tmpfs tmpfs rw\n"}
    with pytest.raises(Absent):
        options("/tmp", files)
    host = RecordedHost(files={**files, "/run/systemd/container": "systemd-nspawn"})
    assert mount_at_boot(host, {"path": "/tmp"}) == {"origin": "manager", "options": [], "remounted_by": []}


def test_an_fstab_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ProbeError):
        mount_at_boot(RecordedHost(files={"/etc/fstab": ProbeError("denied")}), {"path": "/home"})


def test_mounts_by_place_and_by_kind_and_the_one_that_carries_a_path() -> None:
    table = "1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:5 / /mnt/data rw,nosuid - nfs4 s:/d rw\n"
    host = RecordedHost(files={"/proc/self/mountinfo": table, "/mnt/data/x": "", "/var/cache/y": ""})
    assert [one["path"] for one in mount_list(host, {"paths": ["/mnt/*"]})] == ["/mnt/data"]
    assert [one["path"] for one in mount_list(host, {"fstypes": ["nfs*", "ceph"]})] == ["/mnt/data"]
    assert mount_list(host, {"paths": ["/media/*"]}) == []
    assert (mount_of(host, {"path": "/mnt/data/x"})["path"], mount_of(host, {"path": "/var/cache"})["path"]) == (
        "/mnt/data",
        "/",
    )
    with pytest.raises(Absent):
        mount_of(host, {"path": "/none"})


PASSWD = "root:x:0:0::/root:/bin/bash\nme:x:1000:1000::/home/me:/bin/bash\nd:x:2:2::/:/usr/sbin/nologin\n"


def test_hidden_files_of_those_who_can_log_in() -> None:
    host = RecordedHost(
        files={
            "/etc/passwd": PASSWD,
            "/etc/shadow": "root:*:1:0:99999:7:::\nme:*:1:0:99999:7:::\n",
            "/etc/group": "root:x:0:\nme:x:1000:\n",
            "/home/me/plain": "",
            "/root/.profile": "",
        },
        stats={"/home/me/.netrc": FileStat(mode=stat.S_IFREG | 0o644, uid=0, gid=1000)},
        users={0: "root", 1000: "me"},
    )
    found = dot_files(host, {"names": [".netrc", ".rhosts"]})
    assert [(one["user"], one["path"], one["mode"], one["own"]) for one in found] == [
        ("me", "/home/me/.netrc", "0644", False)
    ]
    assert [one["path"] for one in dot_files(host, {})] == ["/root/.profile", "/home/me/.netrc"]


def test_capabilities_of_files() -> None:
    asked = "getcap -r /usr"
    files = {"/usr/bin/ping": ""}
    text = "/usr/bin/ping cap_net_raw=ep\n/usr/my tool cap_setuid,cap_sys_admin=eip\n"
    host = RecordedHost(files=files, commands={asked: text})
    assert file_capabilities(host, {"roots": ["/usr", "/none"], "allow": ["/usr/bin/ping"]}) == [
        {"path": "/usr/my tool", "capabilities": "cap_setuid,cap_sys_admin=eip"}
    ]
    for outcome in ("garbage", (1, "", "usage")):
        with pytest.raises(ProbeError):
            file_capabilities(RecordedHost(files=files, commands={asked: outcome}), {"roots": ["/usr"]})
    with pytest.raises(ProbeError):
        file_capabilities(RecordedHost(files=files), {"roots": ["/usr"]})
