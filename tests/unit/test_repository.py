# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The repository is the collection: layout, versions, artifact and dependencies agree with each other."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GALAXY: dict[str, Any] = yaml.safe_load((ROOT / "galaxy.yml").read_text())
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())

#: Import names of distributions that are called otherwise.
IMPORT_NAMES = {"ansible-core": "ansible", "pyyaml": "yaml"}

#: Nobody writes a longer file by hand.
LARGEST_FILE_B = 256 * 1024

SHIPPED = {
    "plugins": {".py", ".yml", ".json", ".j2", ".css", ".js"},
    "roles": {".yml", ".md", ".j2", ".fact", ".py"},
    "playbooks": {".yml"},
}


def tracked(*patterns: str) -> list[Path]:
    """Files of the checkout that git does not ignore, tracked or new."""
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return sorted(ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file())


def test_the_checkout_resolves_as_the_collection() -> None:
    link = ROOT / "collections" / "ansible_collections" / "rampart" / "fleet"
    assert link.is_symlink()
    assert link.resolve() == ROOT


def test_no_file_is_what_a_tool_left_behind() -> None:
    large = {path.relative_to(ROOT): path.stat().st_size for path in tracked() if path.stat().st_size > LARGEST_FILE_B}
    assert not large


def test_one_version_everywhere() -> None:
    assert GALAXY["version"] == PROJECT["project"]["version"]


def test_the_distribution_is_named_after_the_collection() -> None:
    assert PROJECT["project"]["name"] == f"{GALAXY['namespace']}-{GALAXY['name']}"


def test_every_runtime_dependency_is_imported_and_every_import_declared() -> None:
    declared = {re.split(r"[<>=!~\[; ]", text, maxsplit=1)[0] for text in PROJECT["project"]["dependencies"]}
    names = {name: IMPORT_NAMES.get(name, name).replace("-", "_") for name in declared}
    imported: set[str] = set()
    for path in tracked("src/*.py", "plugins/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                imported.add((node.module or "").partition(".")[0])
    own = {"rampart", "ansible_collections", "__future__"}
    # ansible-galaxy's own tools and the tests' helpers are not for users: only what is shipped counts.
    foreign = imported - set(sys.stdlib_module_names) - own
    assert set(names.values()) - imported == set(), "declared and never imported"
    assert foreign - set(names.values()) == set(), "imported and not declared"


def test_every_dependency_is_pinned() -> None:
    pinned = {
        line.partition("==")[0].lower().replace("_", "-").replace(".", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    project = PROJECT["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[<>=!~\[; ]", text, maxsplit=1)[0].lower() for text in wanted}
    assert names - pinned == set()


def test_requirements_for_execution_environments_match_the_project() -> None:
    listed = {line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] != "#"}
    assert listed <= set(PROJECT["project"]["dependencies"])


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("artifact")
    galaxy = Path(sys.executable).with_name("ansible-galaxy")
    subprocess.run(
        [galaxy, "collection", "build", str(ROOT), "--output-path", str(folder)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    (archive,) = folder.glob("rampart-fleet-*.tar.gz")
    with tarfile.open(archive) as tar:
        return {member.name for member in tar.getmembers() if member.isfile()}


def test_the_artifact_has_every_file_of_plugins_roles_and_playbooks(artifact: set[str]) -> None:
    wanted = {
        str(path.relative_to(ROOT)) for top in SHIPPED for path in tracked(f"{top}/") if "__pycache__" not in path.parts
    }
    assert wanted - artifact == set(), "in the checkout and not in the artifact: name the suffix in galaxy.yml"


def test_the_artifact_has_nothing_else(artifact: set[str]) -> None:
    top = {name for name in artifact if name.partition("/")[0] not in SHIPPED}
    assert top <= {
        *("FILES.json", "MANIFEST.json", "README.md", "CHANGELOG.md", "LICENSE", "requirements.txt"),
        *("meta/runtime.yml", "meta/execution-environment.yml"),
    }


def test_no_generated_or_private_file_is_tracked() -> None:
    names = {str(path.relative_to(ROOT)) for path in tracked()}
    private = r"(^|/)(__pycache__|\.venv)/|^report/|\.pyc$|\.sqlite$|id_ed25519"
    assert not [name for name in names if re.search(private, name)]


def test_shell_scripts_can_be_run() -> None:
    for path in [*tracked("scripts/"), ROOT / ".ci" / "run"]:
        if path.read_bytes().startswith(b"#!"):
            assert path.stat().st_mode & 0o111, f"{path} is not executable"


def test_every_python_file_says_whose_it_is() -> None:
    for path in tracked("src/*.py", "plugins/*.py", "scripts/*.py"):
        lines = path.read_text().splitlines()[:4]
        licensed = any("SPDX-License-Identifier: Apache-2.0" in line for line in lines)
        assert not lines or licensed, f"{path}: no licence line"
