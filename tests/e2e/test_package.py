# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The wheel and the collection artifact, installed where the checkout cannot be seen: command and playbooks run."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = "all: {children: {rampart: {hosts: {gpu1: {rampart_mode: inference}}}}}\n"


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run with no trace of the checkout in the environment."""
    hidden = ("ANSIBLE_", "PYTHON", "VIRTUAL_ENV")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, timeout=300)
    (found,) = folder.glob("rampart_fleet-*.whl")
    return found


def environment(home: Path) -> Path:
    """A new environment that has what rampart needs, and not rampart: a .pth file lends it the packages of this one, in
    which versions are pinned, without the editable checkout."""
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    query = "import sysconfig; print(sysconfig.get_path('purelib'))"
    target = Path(subprocess.run([python, "-c", query], check=True, capture_output=True, text=True).stdout.strip())
    packages = target / "borrowed"
    packages.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if "rampart" not in entry.name and entry.suffix != ".pth":
            (packages / entry.name).symlink_to(entry)
    (target / "borrowed.pth").write_text(f"{packages}\n")
    for script in ("ansible-playbook", "ansible-galaxy"):
        text = Path(sys.executable).with_name(script).read_text().splitlines()
        (home / "bin" / script).write_text("\n".join([f"#!{python}", *text[1:]]))
        (home / "bin" / script).chmod(0o755)
    return home


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel in it."""
    home = environment(tmp_path_factory.mktemp("installed") / "venv")
    subprocess.run([home / "bin/python", "-m", "pip", "install", "-q", "--no-deps", wheel], check=True, timeout=300)
    return home


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    (tmp_path / "hosts.yml").write_text(INVENTORY)
    return tmp_path


def test_the_wheel_has_the_collection_and_the_command_and_no_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"rampart/cli.py", "ansible_collections/rampart/fleet/playbooks/site.yml"} <= names
    assert "ansible_collections/rampart/fleet/galaxy.yml" in names
    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"ansible_collections", "rampart"}
    assert not [name for name in names if "/tests/" in name or name.endswith((".pyc", ".ko"))]
    assert [name for name in names if name.endswith("licenses/src/rampart/lab/dcbshim/LICENSE")]


@pytest.mark.parametrize("playbook", ["site", "harden", "verify", "assess"])
def test_playbooks_run_by_name_from_the_wheel(installed: Path, elsewhere: Path, playbook: str) -> None:
    command = (installed / "bin" / "ansible-playbook", "-i", "hosts.yml", f"rampart.fleet.{playbook}")
    for option in ("--syntax-check", "--list-tasks"):
        done = run(*command, option, cwd=elsewhere)
        assert done.returncode == 0, done.stdout + done.stderr
    assert str(ROOT) not in done.stdout


def test_the_command_runs_from_the_wheel(installed: Path, elsewhere: Path) -> None:
    rampart = installed / "bin" / "rampart"
    assert run(rampart, "--help", cwd=elsewhere).returncode == 0
    for command in ("assess", "apply", "verify", "report", "lab", "demo"):
        done = run(rampart, command, "--help", cwd=elsewhere)
        assert done.returncode == 0, done.stderr
    where = run(installed / "bin" / "python", "-c", "import rampart; print(rampart.__file__)", cwd=elsewhere).stdout
    assert where.startswith(str(installed))


def test_the_command_finds_its_own_ansible_and_reports_an_unreachable_host(installed: Path, elsewhere: Path) -> None:
    closed = "inference, ansible_host: 127.0.0.1, ansible_port: 1"
    (elsewhere / "hosts.yml").write_text(INVENTORY.replace("inference", closed))
    done = run(
        installed / "bin" / "rampart",
        "verify",
        "-i",
        "hosts.yml",
        cwd=elsewhere,
        XDG_STATE_HOME=str(elsewhere / "state"),
        PATH=os.defpath,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "gpu1" in done.stderr


def test_the_collection_artifact_installs_and_runs(elsewhere: Path) -> None:
    tools = environment(elsewhere / "venv") / "bin"
    galaxy = tools / "ansible-galaxy"
    assert run(galaxy, "collection", "build", ROOT, "--output-path", elsewhere, cwd=elsewhere).returncode == 0
    (archive,) = elsewhere.glob("rampart-fleet-*.tar.gz")
    home = str(elsewhere / "home")
    done = run(galaxy, "collection", "install", "--offline", archive, "-p", home, cwd=elsewhere)
    assert done.returncode == 0, done.stdout + done.stderr
    play = (tools / "ansible-playbook", "-i", "hosts.yml", "rampart.fleet.site", "--syntax-check")
    done = run(*play, cwd=elsewhere, ANSIBLE_COLLECTIONS_PATH=home)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_editable_install_does_not_hide_the_checkout() -> None:
    assert not (Path(sysconfig.get_path("purelib")) / "ansible_collections" / "rampart").exists()
