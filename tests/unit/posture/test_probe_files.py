# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Named files, and the walk for dangerous ones."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError, ProbeTimeout
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import DirEntry, FileStat
from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import LocalHost
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.file_search import file_search
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.files import file, files
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.mounts import mount

from .recorded_host import RecordedHost

MOUNTINFO = """\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
30 22 0:30 / /tmp rw,nosuid,nodev shared:9 - tmpfs tmpfs rw,size=65536k
31 30 0:31 / /tmp rw,nosuid,nodev,noexec shared:9 - tmpfs tmpfs rw
40 22 0:40 / /mnt/my\\040data rw - nfs4 store:/data ro,vers=4.2
"""


def test_a_mount_has_its_options_and_the_last_one_on_a_path_counts() -> None:
    host = RecordedHost(files={"/proc/self/mountinfo": MOUNTINFO})
    assert mount(host, {"path": "/tmp"})["options"] == ["nodev", "noexec", "nosuid", "rw"]
    assert mount(host, {"path": "/"}) == {
        "fstype": "ext4",
        "source": "/dev/vda1",
        "options": ["errors=remount-ro", "relatime", "rw"],
    }
    data = mount(host, {"path": "/mnt/my data/"})
    assert (data["fstype"], "ro" in data["options"], "rw" in data["options"]) == ("nfs4", True, False)
    with pytest.raises(Absent, match="/home"):
        mount(host, {"path": "/home"})


def test_a_file_has_mode_and_owner_and_a_link_is_followed() -> None:
    host = RecordedHost(
        stats={"/etc/shadow": FileStat(mode=stat.S_IFREG | 0o640, uid=0, gid=42, size=7)},
        links={"/etc/alias": "/etc/shadow", "/etc/dangling": "/none"},
        groups={},
    )
    found = file(host, {"path": "/etc/shadow"})
    assert (found["mode"], found["owner"], found["group"], found["gid"]) == ("0640", "root", None, 42)
    assert file(host, {"path": "/etc/alias"}) == {**found, "link": True}
    assert file(host, {"path": "/etc/dangling"})["type"] == "link"
    with pytest.raises(Absent):
        file(host, {"path": "/etc/none"})
    listed = files(host, {"globs": ["/etc/s*", "/etc/shadow", "/none/*"]})
    assert listed == [{"path": "/etc/shadow", **found}]


def tree(folder: Path) -> LocalHost:
    """A root of its own, whose mounts and names are files in it."""
    for name in ("etc", "proc/self", "bin", "tmp", "data", "var/lib/docker"):
        (folder / name).mkdir(parents=True)
    (folder / "etc/passwd").write_text(f"me:x:{os.getuid()}:{os.getgid()}::/:/bin/sh\n")
    (folder / "etc/group").write_text(f"me:x:{os.getgid()}:\n")
    (folder / "proc/self/mountinfo").write_text(
        "1 0 8:1 / / rw - overlay o rw\n2 1 0:5 / /data rw - nfs4 s:/d rw\n3 1 0:6 / /proc rw - proc proc rw\n"
    )
    for path, mode in (("etc/open", 0o666), ("data/open", 0o666), ("var/lib/docker/open", 0o666), ("bin/su", 0o4755)):
        (folder / path).write_text("")
        (folder / path).chmod(mode)
    (folder / "etc/link").symlink_to("/etc/open")
    (folder / "tmp").chmod(0o1777)
    return LocalHost(str(folder)).until(time.monotonic() + 30)


def test_the_walk_finds_what_is_dangerous_and_enters_no_other_file_system(tmp_path: Path) -> None:
    host = tree(tmp_path)
    writable = file_search(host, {"criteria": "world_writable"})
    assert (writable["matches"], writable["complete"]) == (["/etc/open"], True)
    assert file_search(host, {"criteria": "suid_sgid"})["matches"] == ["/bin/su"]
    assert file_search(host, {"criteria": "suid_sgid", "allow": ["/bin/s*"]})["matches"] == []
    assert file_search(host, {"criteria": "unowned"})["matches"] == []


def test_a_directory_that_all_may_write_needs_the_sticky_bit(tmp_path: Path) -> None:
    host = tree(tmp_path)
    (tmp_path / "tmp").chmod(0o777)
    assert "/tmp" in file_search(host, {"criteria": "world_writable"})["matches"]


def test_a_file_without_an_owner_is_found(tmp_path: Path) -> None:
    host = tree(tmp_path)
    (tmp_path / "etc/group").write_text("")
    assert "/bin/su" in file_search(host, {"criteria": "unowned"})["matches"]


def test_a_walk_without_time_has_proven_nothing(tmp_path: Path) -> None:
    host = tree(tmp_path)
    with pytest.raises(ProbeTimeout, match="no time"):
        file_search(host, {"criteria": "suid_sgid", "budget_s": 0})


def test_walks_of_the_same_folders_are_one_walk(tmp_path: Path) -> None:
    host = tree(tmp_path)
    parts = file_search(host, {"criteria": "world_writable", "roots": ["/etc", "/bin"]})
    (tmp_path / "etc/later").write_text("")
    (tmp_path / "etc/later").chmod(0o666)
    assert file_search(host, {"criteria": "world_writable", "roots": ["/etc"]})["matches"] == ["/etc/open"]
    whole = file_search(host, {"criteria": "world_writable"})
    assert whole["matches"] == parts["matches"] == ["/etc/open"]
    assert (parts["scanned"], whole["scanned"]) == (5, 13)


def test_a_folder_of_another_file_system_is_walked_by_who_names_it(tmp_path: Path) -> None:
    host = tree(tmp_path)
    assert file_search(host, {"criteria": "world_writable", "roots": ["/data"]})["matches"] == ["/data/open"]
    assert file_search(host, {"criteria": "world_writable"})["matches"] == ["/etc/open"]


def test_a_walk_that_had_no_time_is_gone_on_with_by_who_has_more(tmp_path: Path) -> None:
    host = tree(tmp_path)
    with pytest.raises(ProbeTimeout):
        file_search(host, {"criteria": "suid_sgid", "budget_s": 0})
    found = file_search(host, {"criteria": "suid_sgid", "budget_s": 5})
    assert (found["matches"], found["complete"]) == (["/bin/su"], True)


def test_a_folder_that_cannot_be_read_is_an_error_to_every_probe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = tree(tmp_path)
    real = LocalHost.scandir

    def refused(self: LocalHost, path: str) -> list[DirEntry]:
        if path == "/bin":
            raise ProbeError(f"{path} cannot be read: Input/output error")
        return real(self, path)

    with monkeypatch.context() as broken:
        broken.setattr(LocalHost, "scandir", refused)
        for params in (
            {"criteria": "suid_sgid", "roots": ["/bin"]},
            {"criteria": "world_writable"},
            {"criteria": "device"},
        ):
            with pytest.raises(ProbeError, match="/bin cannot be read"):
                file_search(host, params)
    assert file_search(host, {"criteria": "suid_sgid"})["matches"] == ["/bin/su"]


def test_a_walk_that_was_given_up_and_comes_back_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = tree(tmp_path)
    real = LocalHost.scandir
    late: list[dict[str, object]] = []

    def hangs(self: LocalHost, path: str) -> list[DirEntry]:
        entries = real(self, path)
        if path == "/bin" and not late:
            # While this call hangs, its probe is given up, and the next one walks to the end.
            late.append({})
            late[0] = file_search(host, {"criteria": "suid_sgid"})
        return entries

    monkeypatch.setattr(LocalHost, "scandir", hangs)
    with pytest.raises(ProbeTimeout, match="given up"):
        file_search(host, {"criteria": "world_writable"})
    assert (late[0]["matches"], late[0]["scanned"], late[0]["complete"]) == (["/bin/su"], 13, True)
    assert file_search(host, {"criteria": "world_writable"})["matches"] == ["/etc/open"]


def test_an_unknown_criterion_is_refused() -> None:
    with pytest.raises(ProbeError, match="writable_by_all"):
        file_search(RecordedHost(), {"criteria": "writable_by_all"})
