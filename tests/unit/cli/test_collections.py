# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Third-party collections out of a wheel, tried with a small wheel made here."""

from __future__ import annotations

import importlib.util
import json
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
import yaml

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "install_collections.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install_collections", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "ansible-99.0.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, version, needs in (
            ("acme.posix", "2.1.0", {"acme.base": ">=1.0.0"}),
            ("acme.base", "1.4.0", {}),
            ("acme.other", "9.0.0", {}),
        ):
            folder = f"ansible_collections/{name.replace('.', '/')}"
            info = {"collection_info": {"version": version, "dependencies": needs}}
            archive.writestr(f"{folder}/MANIFEST.json", json.dumps(info))
            archive.writestr(f"{folder}/plugins/x.py", "")
            archive.writestr(f"{folder}/tests/y.py", "")
    return path


def run(tmp_path: Path, wheel: Path | None, dependencies: dict[str, str]) -> int:
    galaxy = tmp_path / "galaxy.yml"
    galaxy.write_text(yaml.safe_dump({"dependencies": dependencies}))
    options = ["--galaxy", str(galaxy), "--dest", str(tmp_path / "deps")]
    result: int = load().main([*options, *(["--wheel", str(wheel)] if wheel else [])])
    return result


def test_what_is_named_and_what_that_needs_is_unpacked_and_nothing_else(tmp_path: Path, wheel: Path) -> None:
    assert run(tmp_path, wheel, {"acme.posix": ">=2.0.0,<3.0.0"}) == 0
    home = tmp_path / "deps" / "ansible_collections" / "acme"
    assert sorted(path.name for path in home.iterdir()) == ["base", "posix"]
    assert (home / "posix" / "plugins" / "x.py").is_file()
    assert not (home / "posix" / "tests").exists()


def test_a_second_call_needs_no_wheel(tmp_path: Path, wheel: Path) -> None:
    assert run(tmp_path, wheel, {"acme.posix": "*"}) == 0
    assert run(tmp_path, tmp_path / "gone.whl", {"acme.posix": "*"}) == 0


def test_nothing_is_downloaded_when_nothing_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.run", lambda *_args, **_options: pytest.fail("a download was tried"))
    assert run(tmp_path, None, {}) == 0
    assert not (tmp_path / "deps").exists()


def test_a_version_out_of_range_is_named(tmp_path: Path, wheel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, wheel, {"acme.posix": ">=3.0.0"}) == 2
    assert "acme.posix is 2.1.0 in the ansible wheel, galaxy.yml wants >=3.0.0" in capsys.readouterr().err


def test_a_collection_that_the_wheel_lacks_is_named(
    tmp_path: Path, wheel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, wheel, {"acme.none": "*"}) == 2
    assert "acme.none is not in ansible-99.0.0" in capsys.readouterr().err


def test_each_python_has_a_release() -> None:
    module = load()
    assert module.release_for((3, 11)) == "12.3.0"
    assert module.release_for((3, 13)) == module.release_for((3, 12)) == "14.5.0"
    assert sys.version_info[:2] >= min(module.ANSIBLE)
