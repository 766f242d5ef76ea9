# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""From what a run left behind to the exit code: 0 good, 1 a control fails, 2 could not decide, 3 usage, 4 drift."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from rampart.runner.state import RunState

GOOD, FAILING, UNDECIDED, USAGE, DRIFT = 0, 1, 2, 3, 4

#: The task that ends a verification fails by design when the verdict is not good; its failure is the verdict.
VERDICT_ACTIONS = ("rampart.fleet.posture_report", "posture_report")
#: What refuses an inventory, waivers or parameters that cannot be meant as they are written.
USAGE_ACTIONS = ("rampart.fleet.preflight", "preflight")


class Expect(Enum):
    """What makes a run good: a good verdict, a verdict whatever it is (assess), or tasks that went through."""

    VERDICT = "verdict"
    REPORT = "report"
    TASKS = "tasks"


@dataclass(frozen=True)
class Verdict:
    """The verdict of posture.json: `state` pass, fail, undecided or drift; `raw` is its whole `verdict` object."""

    state: str
    exit_code: int
    raw: dict[str, Any]
    report_dir: Path

    @classmethod
    def read(cls, report_dir: Path, not_before: float) -> Verdict | None:
        """The verdict that this run wrote; None when the file is missing, older than `not_before` or not readable."""
        path = report_dir / "posture.json"
        try:
            if path.stat().st_mtime < not_before:
                return None
            raw = json.loads(path.read_text(encoding="utf-8"))["verdict"]
            return cls(str(raw["state"]), int(raw["exit_code"]), raw, report_dir)
        except (OSError, ValueError, KeyError, TypeError):
            return None


def broken_tasks(state: RunState) -> bool:
    """Whether anything failed that is neither the verdict itself nor taken over by the playbook's own rescue."""
    return any(failure.action not in VERDICT_ACTIONS and not failure.rescued for failure in state.failures)


def exit_code(status: str, rc: int, state: RunState, verdict: Verdict | None, expect: Expect) -> int:
    """The exit code of a run.

    `status` is ansible-runner's (successful, failed, canceled, timeout, error), `rc` that of ansible-playbook. A run
    that broke or that ended without the verdict it should have reached could not decide; when an inventory that cannot
    be used kept it from deciding, that is what the caller has to mend.
    """
    code = _decided(status, rc, state, verdict, expect)
    return USAGE if code == UNDECIDED and status != "canceled" and refused_inventory(state) else code


def refused_inventory(state: RunState) -> bool:
    """Whether the inventory of a host was refused before anything was done to it."""
    return any(failure.action in USAGE_ACTIONS for failure in state.failures)


def _decided(status: str, rc: int, state: RunState, verdict: Verdict | None, expect: Expect) -> int:
    if status == "canceled" or broken_tasks(state) or state.errors:
        return UNDECIDED
    if verdict is None:
        return GOOD if rc == 0 and expect is Expect.TASKS else UNDECIDED
    if expect is Expect.REPORT and verdict.exit_code in (FAILING, DRIFT):
        return GOOD
    return verdict.exit_code
