# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The gate of the upload path against an engine of the test: nothing that was not read whole is ever called clean."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.unit.host_program import load


@pytest.fixture(scope="module")
def gate() -> ModuleType:
    return load("antivirus", "upload-gate")


class Engine:
    """Finds what contains `evil`; stops reading early, or is down, when the test says so."""

    def __init__(self, gate: ModuleType, found: str = "Evil", early: bool = False, down: bool = False) -> None:
        self._gate, self._found, self._early, self._down = gate, found, early, down

    def verdict(self, pieces: Iterator[bytes]) -> str:
        content = b"" if self._early else b"".join(pieces)
        return self._found if b"evil" in content or self._found.startswith("Heuristics") else ""

    def version(self) -> str:
        return "test"

    def prove(self) -> None:
        if self._down:
            raise self._gate.EngineDown("no engine")


@pytest.fixture
def base(gate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("incoming", "work", "clean", "quarantine", "held"):
        (tmp_path / name).mkdir()
    # The tests may run without root.
    monkeypatch.setattr(gate.os, "chown", lambda *_, **__: None)
    return tmp_path


def run(gate: ModuleType, base: Path, **engine: Any) -> dict[str, Any]:
    state: dict[str, Any] = gate.run(base, 1000, os.getgid(), Engine(gate, **engine))
    return state


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))


def test_clean_goes_on_and_infected_does_not(gate: ModuleType, base: Path) -> None:
    (base / "incoming/good").write_text("weights")
    (base / "incoming/bad").write_text("evil")
    assert run(gate, base) == {"trouble": "", "clean": 1, "infected": 1, "held": 0}
    assert (names(base / "clean"), names(base / "quarantine")) == (["good"], ["bad"])
    record = json.loads((base / "clean/.good.scan.json").read_text())
    assert record["verdict"] == "clean" and len(record["files"][0]["sha256"]) == 64


def test_one_bad_file_condemns_its_folder(gate: ModuleType, base: Path) -> None:
    (base / "incoming/model/deep").mkdir(parents=True)
    (base / "incoming/model/a").write_text("ok")
    (base / "incoming/model/deep/b").write_text("evil")
    run(gate, base)
    assert names(base / "quarantine") == ["model"]


@pytest.mark.parametrize("kind", ["large", "link", "fifo", "hard link", "empty folder"])
def test_what_cannot_be_read_whole_is_held(gate: ModuleType, base: Path, kind: str) -> None:
    place = base / "incoming/x"
    {
        "large": lambda: place.write_bytes(b"x" * 1001),
        "link": lambda: place.symlink_to("/etc/passwd"),
        "fifo": lambda: os.mkfifo(place),
        "hard link": lambda: ((base / "other").write_text("ok"), os.link(base / "other", place)),
        "empty folder": place.mkdir,
    }[kind]()
    assert run(gate, base)["held"] == 1
    assert (names(base / "held"), names(base / "clean")) == (["x"], [])


@pytest.mark.parametrize(
    "engine", [{"early": True}, {"found": "Heuristics.Limits.Exceeded"}, {"found": "Heuristics.Encrypted.Zip"}]
)
def test_an_engine_that_did_not_read_to_the_end_calls_nothing_clean(
    gate: ModuleType, base: Path, engine: dict[str, Any]
) -> None:
    (base / "incoming/x").write_text("perhaps")
    assert run(gate, base, **engine)["held"] == 1


def test_a_file_that_somebody_writes_is_held(gate: ModuleType, base: Path) -> None:
    path = base / "work/0.x"
    with path.open("w") as writer:
        writer.write("a")
        writer.flush()
        assert gate.written(path)
        assert gate.judge(path, Engine(gate), 1000, patience=0)["reason"] == "somebody still writes to it"
    assert not gate.written(path)


def test_while_the_engine_is_down_everything_waits(gate: ModuleType, base: Path) -> None:
    (base / "incoming/x").write_text("ok")
    assert run(gate, base, down=True)["trouble"] == "no engine"
    assert (names(base / "clean"), len(names(base / "work"))) == ([], 1)
    assert run(gate, base)["clean"] == 1
    assert names(base / "clean") == ["x"]


def test_a_second_upload_of_a_name_does_not_replace_the_first(gate: ModuleType, base: Path) -> None:
    for text in ("one", "two"):
        (base / "incoming/x").write_text(text)
        run(gate, base)
    assert len(names(base / "clean")) == 2
    assert (base / "clean/x").read_text() == "one"


def test_the_test_string_is_the_industrys(gate: ModuleType) -> None:
    assert len(gate.EICAR) == 68
    assert b"X5O!" + gate.EICAR[4:] not in Path(str(gate.__file__)).read_bytes(), (
        "in one piece it would condemn the program"
    )
