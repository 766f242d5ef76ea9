# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Run folders: private, never shared, retired by count, and without the caller's secrets."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from rampart.runner import folder

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_two_runs_of_one_second_never_share_a_folder(tmp_path: Path) -> None:
    made = {folder.create(tmp_path / "runs", NOW).path for _ in range(20)}
    assert len(made) == 20
    assert all(path.name.startswith("20260102T030405-") and path.stat().st_mode & 0o777 == 0o700 for path in made)


def test_documents_are_the_owners_alone(tmp_path: Path) -> None:
    run = folder.create(tmp_path, NOW)
    run.write("request.json", {"path": Path("/x"), "n": 1})
    path = run.path / "request.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()) == {"n": 1, "path": "/x"}


def test_the_oldest_runs_go_and_other_folders_stay(tmp_path: Path) -> None:
    for number in range(5):
        run = tmp_path / f"2026010{number}T000000-aaaaaa"
        run.mkdir()
        (run / "request.json").write_text("{}")
    (tmp_path / "0-notes").mkdir()
    assert [path.name[:8] for path in folder.retire(tmp_path, keep=3)] == ["20260100", "20260101"]
    assert sorted(path.name[:8] for path in tmp_path.iterdir()) == ["0-notes", "20260102", "20260103", "20260104"]


def test_the_environment_does_not_stay_in_the_note_of_the_command(tmp_path: Path) -> None:
    run = folder.create(tmp_path, NOW)
    run.artifacts.mkdir(parents=True)
    (run.artifacts / "command").write_text(json.dumps({"command": ["x"], "env": {"TOKEN": "s3cret"}}))
    run.redact_command()
    text = (run.artifacts / "command").read_text()
    assert "s3cret" not in text
    assert json.loads(text) == {"command": ["x"], "env": ["TOKEN"]}


def test_runs_live_where_xdg_says() -> None:
    assert folder.runs_home({"XDG_STATE_HOME": "/s", "HOME": "/h"}) == Path("/s/rampart/runs")
    assert folder.runs_home({"HOME": "/h"}) == Path("/h/.local/state/rampart/runs")
