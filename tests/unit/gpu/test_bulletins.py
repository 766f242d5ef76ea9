# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Floors come out of the vendor's advisories, and say of a version which of them it lacks."""

from __future__ import annotations

import importlib.util
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.gpu import nvidia_bulletins
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.floors import standing, upstream
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.nvidia_bulletins import Floor

from rampart.dev import bulletins

Versions = dict[str, list[tuple[str, str, bool]]]


def advisory(number: str, day: str, versions: Versions) -> dict[str, Any]:
    """An advisory in the shape of CSAF 2.0: by platform, (product, version, whether it is a fixed one)."""
    platforms, fixed = [], []
    for platform, told in versions.items():
        branches = []
        for product, version, is_fixed in told:
            name = f"{platform}_{product}_{version}".lower()
            branches.append(
                {"category": "product_version", "name": product, "product": {"name": version, "product_id": name}}
            )
            if is_fixed:
                fixed.append(name)
        platforms.append({"category": "architecture", "name": platform, "branches": branches})
    return {
        "document": {
            "category": "csaf_security_advisory",
            "tracking": {"id": number, "initial_release_date": f"{day}T00:00:00Z"},
        },
        "product_tree": {"branches": [{"category": "vendor", "name": "NVIDIA", "branches": platforms}]},
        "vulnerabilities": [{"cve": "CVE-0000-0000", "product_status": {"fixed": fixed, "known_affected": []}}],
    }


DRIVERS: Versions = {
    "Linux(R610)": [("Tesla", "610.20.01", True), ("Tesla", "All driver versions prior to 610.20.01", False)],
    "Linux(R580)": [("Tesla", "580.300.01", True), ("GeForce", "580.999.99", True)],
    "Windows(R580)": [("Tesla", "582.99", True)],
    "Linux(R580 vGPU 19)": [("Guest driver", "580.400.01", True)],
}
TOOLS: Versions = {
    "Linux": [("NVIDIA Container Toolkit", "1.21.0", True), ("NVIDIA GPU Operator", "26.9.0", True)],
    "All(4.5)": [("DCGM", "4.6.1", True), ("DCGM", "0.0 to 4.6.0", False), ("DCGM Exporter", "4.9.0", True)],
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the vendor's folder: two advisories, and the record of a CVE beside them."""
    folder = tmp_path / "2026" / "6001"
    folder.mkdir(parents=True)
    (folder / "6001.json").write_text(json.dumps(advisory("6001", "2026-10-20", DRIVERS)))
    (folder / "6002.json").write_text(json.dumps(advisory("6002", "2026-11-03", TOOLS)))
    (folder / "CVE-2026-1.json").write_text(json.dumps({"dataType": "CVE_RECORD"}))
    return tmp_path


def test_fixes_are_read_for_servers_alone(copy: Path) -> None:
    found = {(fix.product, fix.branch): fix.floor for fix in bulletins.read(copy)}
    assert found == {
        ("driver", "R610"): Floor("610.20.01", "6001", "2026-10-20"),
        ("driver", "R580"): Floor("580.300.01", "6001", "2026-10-20"),
        ("container_toolkit", ""): Floor("1.21.0", "6002", "2026-11-03"),
        ("dcgm", ""): Floor("4.6.1", "6002", "2026-11-03"),
    }


def test_what_is_known_stays_known_and_is_never_lowered(copy: Path) -> None:
    known = {
        "driver": {"R580": Floor("580.500.01", "7000", "2026-12-01"), "R535": Floor("535.309.01", "5821", "2026-05-19")}
    }
    floors = bulletins.merged(known, bulletins.read(copy))
    assert floors["driver"]["R580"].bulletin == "7000"
    assert floors["driver"]["R535"].bulletin == "5821"
    assert floors["driver"]["R610"].fixed == "610.20.01"


def loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("written", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_module_is_written_anew(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "written.py"
    options = ["--source", "a copy", "--read", "2026-11-21", "--output", str(output)]
    assert bulletins.main([str(copy), *options]) == 0
    written = loaded(output)
    assert (written.SOURCE, written.READ) == ("a copy", "2026-11-21")
    assert written.FLOORS["driver"]["R610"] == ("610.20.01", "6001", "2026-10-20")
    assert written.FLOORS["driver"]["R535"] == nvidia_bulletins.FLOORS["driver"]["R535"]
    assert "driver R610: 610.20.01 by bulletin 6001 of 2026-10-20" in capsys.readouterr().out


def test_data_that_does_not_change_is_written_as_it_is() -> None:
    path = Path(nvidia_bulletins.__file__)
    day = date.fromisoformat(nvidia_bulletins.READ)
    text = path.read_text()
    assert bulletins.rendered(bulletins.merged(nvidia_bulletins.FLOORS, []), nvidia_bulletins.SOURCE, day, text) == text


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.json", "{", "a.json: Expecting"),
        ("a.json", json.dumps({"document": {"category": "csaf_security_advisory"}}), "a shape that is not known"),
        ("a.txt", "", "no advisory that names a fixed driver"),
        ("a.json", json.dumps(advisory("1", "2026-01-01", TOOLS)), "no advisory that names a fixed driver"),
    ],
)
def test_a_folder_that_cannot_be_used_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, says: str
) -> None:
    folder, output = tmp_path / "copy", tmp_path / "written.py"
    folder.mkdir()
    (folder / name).write_text(text)
    assert bulletins.main([str(folder), "--source", "x", "--output", str(output)]) == 2
    assert says in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize(
    ("product", "version", "lacks", "maintained"),
    [
        ("driver", "580.159.03", (), True),
        ("driver", "580.95.05", ("5821",), True),
        ("driver", "570.211.01", (), False),
        ("driver", "545.29.06", (), False),
        ("driver", "999.1", (), True),
        ("container_toolkit", "1.19.1-1", (), True),
        ("container_toolkit", "1.19.0-1", ("5850",), True),
        ("dcgm", "1:4.5.2-1", ("5857",), True),
    ],
)
def test_how_a_version_stands(product: str, version: str, lacks: tuple[str, ...], maintained: bool) -> None:
    found = standing(product, version)
    assert (found.open_bulletins, found.branch_is_maintained) == (lacks, maintained)


def test_a_version_is_that_of_the_vendor() -> None:
    assert upstream("1:4.5.3-1~deb12u1") == "4.5.3"
    with pytest.raises(ValueError, match="is no version"):
        upstream("unknown")
