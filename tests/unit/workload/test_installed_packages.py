# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Names of packages are told only where they tell enough."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.installed_packages import installed_packages
from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import LocalHost

DPKG = """Package: apt
Status: install ok installed
Architecture: amd64

Package: tzdata
Status: hold ok installed
Architecture: all

Package: gone
Status: deinstall ok config-files
Architecture: amd64
"""


def host(root: Path, text: str | None) -> LocalHost:
    if text is not None:
        (root / "var/lib/dpkg").mkdir(parents=True)
        (root / "var/lib/dpkg/status").write_text(text)
    return LocalHost(str(root))


def test_the_names_are_those_of_installed_packages(tmp_path: Path) -> None:
    assert installed_packages(host(tmp_path, DPKG)) == ["apt", "tzdata"]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        DPKG + "\nPackage: half\nStatus: install ok half-configured\nArchitecture: amd64\n",
        DPKG + "\nPackage: removed\nStatus: deinstall ok half-installed\nArchitecture: amd64\n",
        DPKG + "\nPackage: wine\nStatus: install ok installed\nArchitecture: i386\n",
    ],
)
def test_apt_is_asked_where_names_do_not_tell(tmp_path: Path, text: str | None) -> None:
    assert installed_packages(host(tmp_path, text)) is None
