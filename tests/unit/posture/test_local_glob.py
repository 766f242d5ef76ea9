# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Patterns on the real file system: what a shell would match, and an error where that cannot be told."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import LocalHost


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("etc/sudoers", "etc/sudoers.d/10-a", "etc/sudoers.d/.hidden", "home/a/.ssh/id", "home/b/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "etc/link").symlink_to("sudoers.d")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("/etc/sudoers", ["/etc/sudoers"]),
        ("/etc/sudoers.d/*", ["/etc/sudoers.d/10-a"]),
        ("/etc/sudoers.d/.*", ["/etc/sudoers.d/.hidden"]),
        ("/etc/link/1*", ["/etc/link/10-a"]),
        ("/home/*/.ssh/*", ["/home/a/.ssh/id"]),
        ("/home/[ab]/x", ["/home/b/x"]),
        ("/nowhere/*", []),
        ("/etc/sudoers/*", []),
    ],
)
def test_patterns_match_as_in_a_shell(tree: Path, pattern: str, found: list[str]) -> None:
    assert LocalHost(root=str(tree)).glob(pattern) == found


def test_a_folder_that_may_not_be_read_is_an_error_and_not_empty(tree: Path) -> None:
    real = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("sudoers.d"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    with mock.patch("os.scandir", refuse), pytest.raises(ProbeError, match=r"/etc/sudoers\.d cannot be read"):
        LocalHost(root=str(tree)).glob("/etc/sudoers.d/*")


def test_a_pattern_that_walks_is_refused(tree: Path) -> None:
    with pytest.raises(ProbeError, match="walks a tree"):
        LocalHost(root=str(tree)).glob("/etc/**/x")
