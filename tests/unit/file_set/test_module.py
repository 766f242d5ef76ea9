# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The module on a real folder: check, real, again, again in check; and a set that fails leaves everything as it was."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.rampart.fleet.plugins.module_utils.file_set.block import BEGIN, END
from ansible_collections.rampart.fleet.plugins.modules import file_set

ME = {"owner": str(os.getuid()), "group": str(os.getgid())}


def run(
    capsys: pytest.CaptureFixture[str], files: list[dict[str, Any]], check: bool = False, **more: Any
) -> dict[str, Any]:
    """Run the module and return what it returned."""
    arguments = {"files": [{**ME, **entry} for entry in files], "_ansible_check_mode": check, **more}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        file_set.main()
    answer: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return answer


def snapshot(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path.relative_to(folder)): (path.read_text() if path.is_file() else "", path.lstat().st_mode & 0o7777)
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "old.conf").write_text("old\n")
    (tmp_path / "gone.conf").write_text("gone\n")
    (tmp_path / "wide").write_text("secret\n")
    (tmp_path / "wide").chmod(0o666)
    (tmp_path / "theirs").write_text("theirs\n")
    for name in ("old.conf", "gone.conf", "theirs"):
        (tmp_path / name).chmod(0o644)
    return tmp_path


def wanted(folder: Path) -> list[dict[str, Any]]:
    return [
        {"path": f"{folder}/deep/er/new.conf", "content": "new\n", "mode": "0640"},
        {"path": f"{folder}/old.conf", "content": "newer\n", "validate": "grep -q newer %s"},
        {"path": f"{folder}/gone.conf", "state": "absent"},
        {"path": f"{folder}/wide", "state": "restricted", "mode": "0640"},
        {"path": f"{folder}/dir", "state": "directory", "mode": "0750"},
        {"path": f"{folder}/theirs", "state": "block", "content": "ours\n", "validate": "grep -q theirs %s"},
    ]


def test_check_real_again_and_again_in_check(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = snapshot(folder)
    checked = run(capsys, wanted(folder), check=True)
    assert checked["changed"] and snapshot(folder) == before
    real = run(capsys, wanted(folder))
    assert real["changed"] and real["actions"] == checked["actions"] and real["diff"] == checked["diff"]
    assert [action["action"] for action in real["actions"]] == [
        "create",
        "replace",
        "remove",
        "attributes",
        "mkdir",
        "replace",
    ]
    assert snapshot(folder) == {
        "deep": ("", 0o755),
        "deep/er": ("", 0o755),
        "deep/er/new.conf": ("new\n", 0o640),
        "dir": ("", 0o750),
        "old.conf": ("newer\n", 0o644),
        "theirs": (f"theirs\n{BEGIN}\nours\n{END}\n", 0o644),
        "wide": ("secret\n", 0o640),
    }
    for check in (False, True):
        again = run(capsys, wanted(folder), check=check)
        assert not again["changed"] and again["actions"] == [] and again["diff"] == []


def test_one_invalid_file_leaves_all_as_they_were(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = snapshot(folder)
    files = [*wanted(folder), {"path": f"{folder}/bad", "content": "x", "validate": "grep -q never %s"}]
    for check in (True, False):
        answer = run(capsys, files, check=check)
        assert answer["failed"] and f"the new {folder}/bad is not valid: 'grep -q never" in answer["msg"]
        assert "ended with status 1, wanted 0" in answer["msg"]
        assert snapshot(folder) == before


def test_a_refused_whole_is_taken_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = snapshot(folder)
    answer = run(capsys, wanted(folder), verify=[f"test -f {folder}/old.conf", f"test ! -f {folder}/deep/er/new.conf"])
    assert answer["failed"] and "the new files were taken back" in answer["msg"]
    assert snapshot(folder) == before


def test_tools_that_read_the_whole_folder_see_no_file_of_ours(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [*wanted(folder), {"path": f"{folder}/new", "content": "x"}]
    answer = run(capsys, files, verify=[f"sh -c 'ls -A {folder} > {folder}/seen'"])
    assert answer["changed"]
    assert (folder / "seen").read_text().split() == ["deep", "dir", "new", "old.conf", "seen", "theirs", "wide"]


def test_a_file_that_is_no_text_and_a_link_come_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "old.conf").write_bytes(b"\xff\xfe")
    (folder / "link").symlink_to("gone.conf")
    files = [*wanted(folder), {"path": f"{folder}/link", "content": "x"}]
    assert run(capsys, files, verify=["false"])["failed"]
    assert (folder / "old.conf").read_bytes() == b"\xff\xfe"
    assert (folder / "link").readlink() == Path("gone.conf")


def test_the_whole_is_judged_with_every_file_in_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(
        capsys, wanted(folder), verify=[f"test -f {folder}/deep/er/new.conf", f"grep -q newer {folder}/old.conf"]
    )
    assert answer["changed"] and not answer.get("failed")


def test_a_full_disk_leaves_all_as_they_were(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(folder)
    written: list[str] = []

    def full(descriptor: int) -> None:
        written.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        if len(written) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    answer = run(capsys, wanted(folder))
    assert answer["failed"] and "No file was changed" in answer["msg"] and "No space left" in answer["msg"]
    assert len(written) == 2 and snapshot(folder) == before


def test_a_leftover_of_a_killed_run_is_no_obstacle(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / ".old.conf.rampart-new").write_text("half")
    assert run(capsys, wanted(folder))["changed"]
    assert (folder / "old.conf").read_text() == "newer\n"
    assert [path.name for path in folder.iterdir() if "rampart" in path.name] == []


def test_a_link_is_replaced_and_its_target_left_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "link").symlink_to(folder / "old.conf")
    assert run(capsys, [{"path": f"{folder}/link", "content": "mine\n"}])["changed"]
    assert not (folder / "link").is_symlink() and (folder / "old.conf").read_text() == "old\n"


def test_links_check_real_and_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "wrong").symlink_to("elsewhere")
    files = [
        {"path": f"{folder}/deep/masked.service", "state": "link", "target": "/dev/null"},
        {"path": f"{folder}/wrong", "state": "link", "target": "old.conf"},
        {"path": f"{folder}/wide", "state": "link", "target": "/nonexistent"},
    ]
    checked = run(capsys, files, check=True)
    assert checked["changed"] and not (folder / "deep").exists()
    real = run(capsys, files)
    assert real["actions"] == checked["actions"]
    assert [one["action"] for one in real["actions"]] == [
        "create",
        "replace",
        "replace",
    ]
    assert [Path(str(one["path"])).readlink() for one in files] == [Path(str(one["target"])) for one in files]
    assert (folder / "old.conf").read_text() == "old\n"
    for check in (False, True):
        assert not run(capsys, files, check=check)["changed"]


def test_links_are_taken_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "wrong").symlink_to("elsewhere")
    before = snapshot(folder)
    files = [{"path": f"{folder}/{name}", "state": "link", "target": "/b"} for name in ("wrong", "wide", "deep/new")]
    assert run(capsys, files, verify=["false"])["failed"]
    assert snapshot(folder) == before and (folder / "wrong").readlink() == Path("elsewhere")


def test_a_missing_validator_fails_a_real_run_only(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [{"path": f"{folder}/new", "content": "x", "validate": "/nonexistent/tool %s"}]
    assert run(capsys, files, check=True)["changed"]
    answer = run(capsys, files)
    assert answer["failed"] and not (folder / "new").exists()


@pytest.fixture(autouse=True)
def module_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
