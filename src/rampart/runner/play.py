# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""One playbook from request to result: run folder, run, verdict, exit code, and one object that says it all."""

from __future__ import annotations

import dataclasses
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rampart.runner import folder as folders
from rampart.runner.execute import Outcome, RunnerError, execute
from rampart.runner.request import PlayRequest, default_settings
from rampart.runner.verdict import UNDECIDED, Expect, Verdict, exit_code
from rampart.runner.view import View


@dataclass(frozen=True)
class PlayResult:
    """What a run came to; `as_json` is the object of `--json`."""

    request: PlayRequest
    run_folder: Path
    outcome: Outcome
    verdict: Verdict | None
    exit_code: int

    def as_json(self) -> dict[str, Any]:
        """Keys: command, run_folder, status, rc, exit_code, seconds, hosts, failures, errors, report, verdict."""
        state = self.outcome.state
        return {
            "command": self.request.plain_command(),
            "run_folder": str(self.run_folder),
            "status": self.outcome.status,
            "rc": self.outcome.rc,
            "exit_code": self.exit_code,
            "seconds": round(self.outcome.seconds, 1),
            "hosts": {host: _counts(self.outcome, host) for host in state.hosts},
            "failures": [dataclasses.asdict(failure) for failure in state.failures],
            "errors": list(state.errors),
            "report": str(self.verdict.report_dir / "index.html") if self.verdict else None,
            "verdict": self.verdict.raw if self.verdict else None,
        }


def _counts(outcome: Outcome, host: str) -> dict[str, int]:
    total = outcome.state.totals(host)
    return {"ok": total.ok + total.changed, "changed": total.changed, "failed": total.failed, "skipped": total.skipped}


def play(request: PlayRequest, report_dir: Path, view: View, expect: Expect = Expect.VERDICT) -> PlayResult:
    """Run `request`; the report is expected under `report_dir`, which every play is told as an extra variable."""
    directory = Path.cwd()
    request = dataclasses.replace(
        request,
        extra_vars=(*request.extra_vars, f"posture_report_dir={_spell(report_dir)}"),
        settings={**default_settings(directory, os.environ), **request.settings},
    )
    home = folders.current_home()
    folder = folders.create(home, datetime.now(UTC))
    folder.write("request.json", {**dataclasses.asdict(request), "directory": str(directory)})
    folders.retire(home)
    # File times may be coarser than the clock: a second of grace cannot let an earlier run's verdict through.
    started = time.time() - 1
    outcome = execute(request, folder, directory, view)
    verdict = Verdict.read(report_dir, started)
    code = exit_code(outcome.status, outcome.rc, outcome.state, verdict, expect)
    result = PlayResult(request, folder.path, outcome, verdict, code)
    folder.write("result.json", result.as_json())
    return result


def _spell(path: Path) -> str:
    """An extra variable in key=value form is split at blanks: quote what has any."""
    text = str(path.resolve())
    return f"'{text}'" if any(character.isspace() for character in text) else text


__all__ = ["UNDECIDED", "PlayResult", "RunnerError", "play"]
