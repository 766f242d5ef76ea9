# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The real host: what it reads, runs and refuses."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import (
    Absent,
    ProbeError,
    ProbeTimeout,
    ToolMissing,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import LocalHost


def test_reads_below_its_root(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("me:x:12345:1::/:/bin/sh\n")
    (tmp_path / "etc/link").symlink_to("passwd")
    host = LocalHost(str(tmp_path))
    assert host.read_text("/etc/passwd").startswith("me:")
    assert host.listdir("/etc") == ["link", "passwd"]
    assert host.glob("/etc/p*") == ["/etc/passwd"]
    assert host.readlink("/etc/link") == "passwd"
    assert host.stat("/etc/link", follow=False).type == "link"
    assert host.user_name(12345) == "me"
    assert host.user_name(1) is None


def test_what_is_missing_is_absent_and_what_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    host = LocalHost(str(tmp_path))
    with pytest.raises(Absent):
        host.read_text("/none")
    assert not host.exists("/none")
    with pytest.raises(ProbeError, match="directory"):
        host.read_text("/")
    with pytest.raises(ProbeError, match="relative"):
        host.read_text("etc/passwd")


def test_a_pipe_in_the_place_of_a_file_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert LocalHost(str(tmp_path)).read_text("/pipe") == ""


def test_files_of_the_kernel_can_be_read() -> None:
    assert LocalHost().read_text("/proc/sys/kernel/ostype").strip() == "Linux"


def test_equal_questions_of_a_run_get_equal_answers(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("1")
    host = LocalHost(str(tmp_path))
    assert host.read_text("/f") == "1"
    (tmp_path / "f").write_text("2")
    assert host.until(time.monotonic() + 9).read_text("/f") == "1"
    assert host.afresh().read_text("/f") == "2"


def tool(folder: Path, text: str) -> LocalHost:
    path = folder / "tool"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return LocalHost(search_path=[str(folder), "/usr/bin", "/bin"])


def test_a_command_runs_with_a_bare_environment_and_without_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_PRELOAD_OF_MINE", "1")
    host = tool(tmp_path, 'env; printf "%s|" "$@"; exit 3\n')
    answer = host.run(["tool", "$HOME;", "a b"])
    assert answer.rc == 3
    assert "LC_ALL=C" in answer.stdout
    assert "LD_PRELOAD_OF_MINE" not in answer.stdout
    assert answer.stdout.endswith("$HOME;|a b|")
    with pytest.raises(ProbeError, match="status 3"):
        answer.require_ok()


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    host = tool(tmp_path, f"sleep 60 & echo $! > {tmp_path}/child; wait\n")
    with pytest.raises(ProbeTimeout, match="did not end"):
        host.run(["tool"], timeout=0.5)
    child = int((tmp_path / "child").read_text())
    for _ in range(50):
        if not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2]:
            return
        time.sleep(0.1)
    pytest.fail("the child of the command lives on")


def test_a_tool_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="no-such-tool"):
        LocalHost(search_path=[str(tmp_path)]).run(["no-such-tool"])


def test_a_tool_that_is_named_by_its_path_is_that_one(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho mine\n")
    host = LocalHost()
    assert host.which(str(tool)) is None
    tool.chmod(0o755)
    assert host.which(str(tool)) == str(tool)
    assert host.run([str(tool)]).stdout == "mine\n"


def test_nothing_is_asked_after_the_deadline(tmp_path: Path) -> None:
    host = LocalHost(str(tmp_path)).until(time.monotonic() - 1)
    with pytest.raises(ProbeTimeout):
        host.exists("/")
    assert host.remaining() == 0
