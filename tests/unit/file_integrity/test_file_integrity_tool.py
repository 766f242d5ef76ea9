# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The program on the host: what it makes of AIDE's reports, which changes are planned, and what stays a finding."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.host_program import load


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load("file_integrity", "file-integrity")


REPORT = """Start timestamp: 2026-11-21 13:30:45 +0000 (AIDE 0.18.3)
AIDE found differences between database and filesystem!!
Summary:
  Total number of entries:	5535
  Added entries:		1

---------------------------------------------------
Added entries:
---------------------------------------------------

f+++++++++++++++++: /etc/a b

---------------------------------------------------
Removed entries:
---------------------------------------------------

f-----------------: /etc/gone

---------------------------------------------------
Changed entries:
---------------------------------------------------

d = p.. .    A.   : /etc/cron.d
f > ... m   H..   : /etc/issue: odd

---------------------------------------------------
The attributes of the (uncompressed) database(s):
---------------------------------------------------

/var/lib/aide/aide.db
 SHA256    : pC1MjY3Xe3mDMXbckwv33FV1zACE1xMP
"""


def test_a_report_of_aide_is_read(tool: ModuleType) -> None:
    found = tool.parse_report(REPORT)
    assert (found.added, found.removed) == (["/etc/a b"], ["/etc/gone"])
    assert found.changed == ["/etc/cron.d", "/etc/issue: odd"]


def test_a_report_without_differences_has_none(tool: ModuleType) -> None:
    text = "AIDE found NO differences between database and filesystem. Looks okay!!\n\n/var/lib/aide/aide.db\n"
    assert list(tool.parse_report(text).items()) == []


OLD = "@@begin_db\n@@db_spec name size\n/etc/a 1\n/etc/b 1\n/etc/gone 1\n/etc/d%20e 1\n@@end_db\n"
NEW = "@@begin_db\n@@db_spec name size\n/etc/a 2\n/etc/b 2\n/etc/c 2\n/etc/d%20e 2\n@@end_db\n"


def test_planned_changes_are_taken_in_and_findings_stay(tool: ModuleType) -> None:
    findings = tool.Differences(added=["/etc/c"], removed=["/etc/gone"], changed=["/etc/b", "/etc/d e"])
    lines = tool.merge(OLD, NEW, findings).splitlines()
    assert lines[:2] == ["@@begin_db", "@@db_spec name size"]
    assert lines[-1] == "@@end_db"
    assert sorted(lines[2:-1]) == ["/etc/a 2", "/etc/b 1", "/etc/d%20e 1", "/etc/gone 1"]


MOUNTS = r"""24 1 8:1 / / rw - ext4 /dev/sda1 rw
30 24 8:2 / /usr/local rw - xfs /dev/sda2 rw
31 24 0:40 / /usr/local/lib/models rw - nfs4 store:/models rw
32 24 0:41 / /etc/cluster\040x rw shared:1 - fuse.glusterfs x rw
33 24 8:1 /etc/rampart /etc/rampart rw - ext4 /dev/sda1 rw
34 24 0:50 / /srv/data rw - nfs4 store:/data rw
35 24 259:1 / /usr/local/lib/scratch rw - xfs /dev/nvme0n1 rw
36 24 8:3 / /boot rw - ext4 /dev/sda3 rw
37 24 8:4 / /boot/efi rw - vfat /dev/sda4 rw
"""


def test_what_is_mounted_below_a_watched_folder_is_left_out(tool: ModuleType) -> None:
    found = tool.data_mounts(MOUNTS, ["/boot", "/etc", "/usr/local/lib"])
    assert found == ["/etc/cluster x", "/usr/local/lib/models", "/usr/local/lib/scratch"]
    assert tool.exclusion("/etc/cluster x") == "!/etc/cluster.x(/|$)"


def test_a_folder_with_a_disk_of_its_own_is_watched_and_so_are_binds_of_it(tool: ModuleType) -> None:
    text = "1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /etc rw - ext4 b rw\n3 2 8:2 /rampart /etc/rampart rw - ext4 b rw\n"
    assert tool.data_mounts(text, ["/etc", "/usr"]) == []
    assert tool.data_mounts(text + "4 1 0:9 / /etc rw - tmpfs t rw\n", ["/etc"]) == ["/etc/rampart"]


def test_the_root_of_a_container_is_no_data(tool: ModuleType) -> None:
    text = "1 0 0:30 / / rw - overlay overlay rw\n2 1 0:30 /etc/rampart /etc/rampart rw - overlay overlay rw\n"
    assert tool.data_mounts(text + "3 1 0:9 / /etc/x rw - tmpfs t rw\n", ["/etc"]) == ["/etc/x"]


def test_the_rules_say_what_is_watched(tool: ModuleType) -> None:
    text = "# /no\nA = p+u\n/etc d Folder\n/etc f,l Content\n!/etc/skip\n/boot f Content\n"
    assert tool.watched(text) == ["/boot", "/etc"]


@pytest.fixture
def dpkg(tool: ModuleType, tmp_path: Path) -> tuple[Path, Path]:
    """A database of dpkg, and a program that it owns."""
    program, info = tmp_path / "program", tmp_path / "dpkg/info"
    info.mkdir(parents=True)
    program.write_text("as packaged")
    md5 = hashlib.md5(b"as packaged", usedforsecurity=False).hexdigest()
    (info / "tool.list").write_text(f"/.\n{program}\n/bin/tool\n")
    (info / "tool.md5sums").write_text(f"{md5}  {str(program)[1:]}\n")
    (tmp_path / "dpkg/status").write_text("Package: tool\nConffiles:\n /etc/tool.conf " + "0" * 32 + "\n")
    return program, tmp_path / "dpkg"


def test_a_file_is_planned_when_it_is_what_its_package_has(tool: ModuleType, dpkg: tuple[Path, Path]) -> None:
    program, root = dpkg
    known = tool.Packages.load([str(program), "/usr/bin/tool", "/etc/tool.conf"], root)
    assert known.planned("changed", str(program))
    program.write_text("as an attacker has it")
    assert not known.planned("changed", str(program))


def test_what_no_package_owns_is_a_finding(tool: ModuleType, dpkg: tuple[Path, Path]) -> None:
    other = dpkg[0].with_name("other")
    other.write_text("x")
    assert not tool.Packages.load([str(other)], dpkg[1]).planned("added", str(other))


def test_a_removal_is_planned_where_only_packages_live(tool: ModuleType, dpkg: tuple[Path, Path]) -> None:
    known = tool.Packages.load(["/usr/lib/x", "/etc/x", "/usr/local/bin/x", "/usr/bin/tool"], dpkg[1])
    planned = {path for path in ("/usr/lib/x", "/etc/x", "/usr/local/bin/x", "/usr/bin/tool")
               if known.planned("removed", path)}  # fmt: skip
    assert planned == {"/usr/lib/x"}


def test_old_lists_mean_the_merged_usr(tool: ModuleType) -> None:
    assert tool.canonical("/bin/ls") == "/usr/bin/ls"
    assert tool.canonical("/lib64/x") == "/usr/lib64/x"
    assert tool.canonical("/library/x") == "/library/x"


@pytest.mark.parametrize(
    ("path", "derived"),
    [
        ("/etc/ld.so.cache", True),
        ("/etc/systemd/system/multi-user.target.wants/x.service", True),
        ("/boot/initrd.img-6.1.0-40-amd64", True),
        ("/etc/passwd", False),
        ("/etc/ld.so.preload", False),
        ("/usr/bin/x", False),
        ("/etc/systemd/system/x.service", False),
    ],
)
def test_scripts_of_packages_write_few_files(tool: ModuleType, path: str, derived: bool) -> None:
    assert tool.derived(path) is derived


def test_a_run_plans_what_changed_during_it(tool: ModuleType, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.write_text("x")
    os.utime(inside, (1, 1))  # a program may set this time, and not the one that counts
    now = time.time()
    differences = tool.Differences(changed=[str(inside)], removed=[str(tmp_path / "gone")])
    during, before = {"windows": [[now - 60, now + 60]]}, {"windows": [[now - 90, now - 60]]}
    assert tool.planned(differences, {}, during) == [str(tmp_path / "gone"), str(inside)]
    assert tool.planned(differences, {}, before) == []
    assert tool.planned(differences, {}, {}) == []
    assert tool.anything_since([str(tmp_path)], now - 60)
    assert not tool.anything_since([str(tmp_path), str(tmp_path / "none")], now + 60)


def test_an_interrupted_run_ends_when_the_next_begins_or_hours_later(tool: ModuleType) -> None:
    assert tool.windows([], 9.0) == []
    assert tool.windows([500.0], 900.0) == [[500.0, 900.0]]
    assert tool.windows([500.0, 100.0], 900.0) == [[100.0, 500.0], [500.0, 900.0]]
    late = 100.0 + 10 * tool.LONGEST_RUN_S
    assert tool.windows([100.0, late], late + 5) == [[100.0, 100.0 + tool.LONGEST_RUN_S], [late, late + 5]]


@pytest.fixture
def state(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with a baseline under rules that watch one folder."""
    names = {"DATABASE": "aide.db", "CONFIG": "aide.conf", "SEALED_CONFIG": "sealed.conf", "BEGUN": "begun.json",
             "RUN": "run.json", "PACKAGES": "packages.json"}  # fmt: skip
    for name, file in names.items():
        monkeypatch.setattr(tool, name, tmp_path / file)
    (tmp_path / "etc").mkdir()
    for name in ("aide.conf", "sealed.conf"):
        (tmp_path / name).write_text(f"{tmp_path}/etc f Content\n")
    (tmp_path / "aide.db").write_bytes(b"")
    return tmp_path


def test_a_run_that_changed_nothing_asks_for_nothing(tool: ModuleType, state: Path) -> None:
    time.sleep(0.05)  # the kernel's time of files is a little late
    tool.begin(None)
    assert len(tool.begun()) == 1
    assert tool.wanted(time.time()) == ""
    assert tool.begun() == []


def test_a_run_that_changed_something_has_it_settled(tool: ModuleType, state: Path) -> None:
    tool.begin(None)
    time.sleep(0.05)
    (state / "etc/new").write_text("x")
    assert tool.wanted(time.time() + 1) == "settle"


def test_a_run_goes_on_from_one_that_was_interrupted(tool: ModuleType, state: Path) -> None:
    interrupted, now = time.time() - 7200, time.time()
    (state / "begun.json").write_text(json.dumps({"begun": [interrupted]}))
    assert tool.wanted(now) == "settle"
    (first, second) = json.loads((state / "run.json").read_text())["windows"]
    assert first == [interrupted, now] and second[0] == now
    # Asked for and not done yet: the next run asks for it again, whatever it changed itself.
    assert tool.wanted(now + 60) == "settle"
    assert json.loads((state / "run.json").read_text())["windows"] == [first, second]


def test_a_site_that_accepts_no_run_plans_nothing(tool: ModuleType, state: Path) -> None:
    tool.begin(None)
    assert tool.wanted(0) == ""
    assert tool.begun() == []


def test_a_look_at_the_canary_reads_its_folder_only(tool: ModuleType) -> None:
    text = "@@begin_db\n@@db_spec name\n/etc/rampart 1\n/etc/rampart/file-integrity-canary 1\n/etc/passwd 1\n@@end_db\n"
    assert tool.canary_lines(text) == text.replace("/etc/passwd 1\n", "")


def test_a_baseline_without_its_seal_is_trouble(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool, "SEAL", tmp_path / "seal.json")
    monkeypatch.setattr(tool, "DATABASE", tmp_path / "aide.db")
    (tmp_path / "aide.db").write_bytes(b"baseline")
    with pytest.raises(tool.Trouble, match="wanted the seal"):
        tool.intact()
    (tmp_path / "seal.json").write_text('{"sha256": "0"}')
    with pytest.raises(tool.Trouble, match="somebody exchanged the baseline"):
        tool.intact()
