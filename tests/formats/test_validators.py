# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What we write for other systems is held against their own validators, which are seen to refuse what is wrong."""

from __future__ import annotations

import hashlib
import json
import subprocess
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.files import write_together
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.formats import export, mlbom

from tests.unit.report import conftest as fleet

Json = dict[str, Any]
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ENVIRONMENT = ROOT / ".cache" / "validators"
MODEL = {
    "name": "assistant",
    "version": "3.1",
    "files": [{"path": "model-00001.safetensors", "sha256": "0" * 64}],
    "supplier": "Example",
    "licenses": ["Apache-2.0"],
    "task": "text-generation",
    "architecture": "LlamaForCausalLM",
    "datasets": ["corpus-2026"],
    "considerations": "English only.",
    "url": "https://models.example.org/assistant",
}


@pytest.fixture(scope="session")
def validate() -> Callable[[Path], tuple[int, str]]:
    """The validators as a function from a folder to (exit status, what they said)."""
    wanted = hashlib.sha256((HERE / "requirements.txt").read_bytes()).hexdigest()
    stamp, python = ENVIRONMENT / "requirements.sha256", ENVIRONMENT / "bin" / "python"
    if not stamp.is_file() or stamp.read_text() != wanted:
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "-r", HERE / "requirements.txt"]
        subprocess.run(install, check=True, timeout=1200)
        stamp.write_text(wanted)

    def run(folder: Path) -> tuple[int, str]:
        # `oscal` unpacks a database of 160 MB where it is started.
        done = subprocess.run(
            [python, HERE / "validate.py", folder],
            cwd=ENVIRONMENT, capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file that we write for others, from a fleet in which every state occurs."""
    folder = tmp_path_factory.mktemp("exported")
    report = fleet.build(fleet.write_run(tmp_path_factory.mktemp("run")), expected=[*fleet.FLEET, "lost1"])
    write_together(folder, export.contents(report, list(export.FORMATS)))
    (folder / "models.cdx.json").write_text(mlbom.render([MODEL], "Lab fleet", report["run"]["finished"]))
    return folder


def test_the_validators_take_every_file(exported: Path, validate: Callable[[Path], tuple[int, str]]) -> None:
    status, said = validate(exported)
    assert status == 0, said
    assert said.endswith("8 passed, 0 failed\n")


WRONG: dict[str, Callable[[Json], object]] = {
    "oscal-assessment-results.json": lambda it: [
        each.pop("ns") for each in it["assessment-results"]["results"][0]["observations"][0]["props"]
    ],
    "oscal-catalog.json": lambda it: it["catalog"].update(uuid="x"),
    "oscal-assessment-plan.json": lambda it: it["assessment-plan"].pop("import-ssp"),
    "oscal-component-definition.json": lambda it: it["component-definition"]["components"][0].pop("title"),
    "oscal-poam.json": lambda it: it["plan-of-action-and-milestones"]["risks"][0].update(status="so what"),
    "posture.ocsf.ndjson": lambda it: it.pop("finding_info"),
    "posture.sarif": lambda it: it["runs"][0]["results"][0].update(level="grave"),
    "models.cdx.json": lambda it: it["components"][0].update(type="brain"),
}


def test_the_validators_refuse_every_file_with_one_thing_wrong(
    exported: Path, tmp_path: Path, validate: Callable[[Path], tuple[int, str]]
) -> None:
    for name, spoil in WRONG.items():
        text = (exported / name).read_text(encoding="utf-8")
        document = json.loads(text.splitlines()[0] if name.endswith(".ndjson") else text)
        spoil(document)
        (tmp_path / name).write_text(json.dumps(document), encoding="utf-8")
    status, said = validate(tmp_path)
    assert status == 1
    assert said.endswith(f"0 passed, {len(WRONG)} failed\n"), said
