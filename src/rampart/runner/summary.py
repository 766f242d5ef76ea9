# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The end of a run on the terminal: every failure in full, once, then the verdict and where things lie."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from rampart.runner.play import PlayResult
from rampart.runner.state import Failure
from rampart.runner.verdict import VERDICT_ACTIONS

STYLES = {"pass": "bold green", "fail": "bold red", "undecided": "bold yellow", "drift": "bold yellow"}


def print_summary(result: PlayResult, console: Console) -> None:
    """Failures grouped by their text, so that one cause on fifty hosts is read once; then verdict, folder, command."""
    state = result.outcome.state
    for error in state.errors:
        _line(console, error, "red")
    groups: dict[tuple[str, str], list[Failure]] = {}
    for failure in state.failures:
        groups.setdefault((failure.task, failure.text), []).append(failure)
    for (task, text), failures in groups.items():
        verdict_itself = failures[0].action in VERDICT_ACTIONS and result.verdict is not None
        made_good = all(failure.rescued for failure in failures) and result.exit_code == 0
        if verdict_itself or made_good:
            continue
        hosts = ", ".join(failure.host for failure in failures)
        what = "could not be reached" if failures[0].unreachable else f"failed: {task}"
        _line(console, f"{hosts} {what}", "bold red")
        if failures[0].path:
            _line(console, f"  at {failures[0].path}", "dim")
        _line(console, "\n".join(f"  {line}" for line in text.splitlines()))
    if result.outcome.status == "canceled":
        _line(console, "Interrupted: hosts keep what was done so far; run the same command again to finish.", "yellow")
    _print_verdict(result, console)


def _print_verdict(result: PlayResult, console: Console) -> None:
    verdict = result.verdict
    if verdict is not None:
        counts = [f"{number} {name}" for name, number in sorted(verdict.raw.get("counts", {}).items()) if number]
        score = verdict.raw.get("score")
        shown = f", score {score}" if score is not None else ""
        text = f"verdict {verdict.state}{shown}: {', '.join(counts) or 'nothing was measured'}"
        _line(console, text, STYLES.get(verdict.state, ""))
        _line(console, f"report  {verdict.report_dir / 'index.html'}")
    elif result.exit_code:
        _line(console, f"no verdict: ansible-playbook ended with {result.outcome.rc}", "bold yellow")
    _line(console, f"run     {result.run_folder}", "dim")
    _line(console, f"plain   {result.request.plain_command()}", "dim")


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True)
