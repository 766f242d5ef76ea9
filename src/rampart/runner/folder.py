# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The run folder: one a run, never shared, under $XDG_STATE_HOME/rampart/runs; old ones go by count."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

#: Enough for a month of daily runs and their repeats; a run of four hosts leaves about 1 MB.
KEEP_RUNS = 60


@dataclass(frozen=True)
class RunFolder:
    """`path` holds `request.json`, `result.json` and ansible-runner's artifacts."""

    path: Path

    @property
    def ident(self) -> str:
        return self.path.name

    @property
    def artifacts(self) -> Path:
        """Where ansible-runner writes: stdout, job_events/, fact_cache/."""
        return self.path / "artifacts" / self.ident

    def write(self, name: str, data: Mapping[str, Any]) -> None:
        """Write one JSON document, readable by its owner only."""
        path = self.path / name
        path.touch(mode=0o600)
        path.write_text(json.dumps(data, indent=2, sort_keys=True, default=str) + "\n", encoding="utf-8")

    def redact_command(self) -> None:
        """ansible-runner notes the whole environment beside the command: secrets of the caller's shell do not stay."""
        note = self.artifacts / "command"
        if not note.is_file():
            return
        content = json.loads(note.read_text(encoding="utf-8"))
        content["env"] = sorted(content.get("env", {}))
        note.write_text(json.dumps(content), encoding="utf-8")


def runs_home(environ: Mapping[str, str]) -> Path:
    """Where run folders live."""
    state = environ.get("XDG_STATE_HOME") or Path(environ.get("HOME") or Path.home(), ".local", "state")
    return Path(state, "rampart", "runs")


def create(home: Path, now: datetime) -> RunFolder:
    """A fresh folder, mode 0700. An ident is never reused: ansible-runner mixes the events of two runs of one ident."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = home / f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    path.mkdir(mode=0o700)
    return RunFolder(path)


def retire(home: Path, keep: int = KEEP_RUNS) -> list[Path]:
    """Remove the oldest run folders beyond `keep`; names sort by time. Folders of others are left alone."""
    mine = sorted(each for each in home.iterdir() if each.is_dir() and (each / "request.json").is_file())
    gone = mine[: max(0, len(mine) - keep)]
    for path in gone:
        shutil.rmtree(path, ignore_errors=True)
    return gone


def current_home() -> Path:
    """The runs folder of this process's environment."""
    return runs_home(os.environ)
