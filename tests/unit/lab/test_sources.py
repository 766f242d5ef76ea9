# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The machine's apt sources, in both formats, turned towards the release that the lab wants; third parties stay out."""

from __future__ import annotations

from pathlib import Path

import pytest

from rampart.lab import aptsources
from rampart.lab.errors import LabError

DEB822 = """\
# comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/own.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""
ONE_LINE = """\
deb [arch=amd64 signed-by=/usr/share/keyrings/own.gpg] http://mirror.example/debian bookworm main
deb http://mirror.example/debian-security bookworm-security main # security
# deb http://off.example/debian bookworm main
deb-src http://mirror.example/debian bookworm main
deb https://third.example/linux/debian bookworm stable
deb https://apt.example/pg bookworm-pgdg main
"""
OWN = "/usr/share/keyrings/own.gpg"
ARCHIVE = "/usr/share/keyrings/debian-archive-keyring.gpg"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc/apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n', encoding="utf-8")
    keyrings = tmp_path / "usr/share/keyrings"
    keyrings.mkdir(parents=True)
    for name in ("debian-archive-keyring", "debian-archive-bookworm-stable", "debian-archive-trixie-stable"):
        (keyrings / f"{name}.gpg").touch()
    return tmp_path


def test_deb822_sources(root: Path) -> None:
    (root / "etc/apt/sources.list.d/debian.sources").write_text(DEB822, encoding="utf-8")
    assert aptsources.lines_for("bookworm", root) == [
        f"deb [signed-by={OWN}] http://mirror.example/debian bookworm main",
        f"deb [signed-by={OWN}] http://mirror.example/debian bookworm-updates main",
        f"deb [signed-by={ARCHIVE}] http://mirror.example/debian-security bookworm-security main",
    ]


def test_one_line_sources_for_another_release(root: Path) -> None:
    (root / "etc/apt/sources.list").write_text(ONE_LINE, encoding="utf-8")
    assert aptsources.lines_for("trixie", root) == [
        f"deb [signed-by={OWN}] http://mirror.example/debian trixie main",
        f"deb [signed-by={ARCHIVE}] http://mirror.example/debian-security trixie-security main",
    ]


def test_a_machine_without_debian_sources_uses_debians_own_mirror(root: Path) -> None:
    (root / "etc/os-release").write_text("ID=ubuntu\nVERSION_CODENAME=noble\n", encoding="utf-8")
    lines = aptsources.lines_for("bookworm", root)
    assert lines[0] == f"deb [signed-by={ARCHIVE}] http://deb.debian.org/debian bookworm main"


def test_a_keyring_that_is_too_old_is_named(root: Path) -> None:
    (root / "usr/share/keyrings/debian-archive-trixie-stable.gpg").unlink()
    with pytest.raises(LabError, match=r"does not know trixie.*apt-get install debian-archive-keyring"):
        aptsources.lines_for("trixie", root)


def test_a_missing_keyring_is_named(root: Path) -> None:
    (root / "usr/share/keyrings/debian-archive-keyring.gpg").unlink()
    with pytest.raises(LabError, match="is missing"):
        aptsources.lines_for("bookworm", root)
