# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The commands assess, apply and verify: options of ansible-playbook, and nothing that it cannot do."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from rampart.runner.execute import RunnerError
from rampart.runner.play import UNDECIDED, PlayResult, play
from rampart.runner.request import PlayRequest
from rampart.runner.summary import print_summary
from rampart.runner.verdict import USAGE, Expect
from rampart.runner.view import choose

Inventory = Annotated[list[str], typer.Option("-i", "--inventory", help="Inventory file, folder or host list.")]
Limit = Annotated[str | None, typer.Option("-l", "--limit", help="Only these hosts or groups.")]
Tags = Annotated[str | None, typer.Option("-t", "--tags", help="Only tasks with these tags: role, role_phase.")]
SkipTags = Annotated[str | None, typer.Option("--skip-tags", help="No tasks with these tags.")]
Check = Annotated[bool, typer.Option("-C", "--check", help="Say what would change; change nothing.")]
Diff = Annotated[bool, typer.Option("-D", "--diff", help="Show differences of files.")]
ExtraVars = Annotated[list[str], typer.Option("-e", "--extra-vars", help="key=value, JSON, or @file.")]
Forks = Annotated[int | None, typer.Option("-f", "--forks", min=1, help="Hosts at a time.")]
Verbose = Annotated[int, typer.Option("-v", "--verbose", count=True, help="More in the run folder's stdout.")]
ReportDir = Annotated[Path, typer.Option(help="Where index.html and posture.json are written.")]
FailOn = Annotated[
    str | None, typer.Option(help="Severity from which a failing control counts: critical, high, medium, low, info.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output, nothing else.")]

SEVERITIES = ("critical", "high", "medium", "low", "info")

assess_app = typer.Typer(rich_markup_mode=None)
apply_app = typer.Typer(rich_markup_mode=None)
verify_app = typer.Typer(rich_markup_mode=None)


@assess_app.command()
def assess(
    inventory: Inventory,
    limit: Limit = None,
    extra_vars: ExtraVars = [],  # noqa: B006  typer's own form of a repeatable option
    forks: Forks = None,
    verbose: Verbose = 0,
    report_dir: ReportDir = Path("report"),
    fail_on: FailOn = None,
    as_json: Json = False,
) -> None:
    """Measure a fleet; change nothing (ansible-playbook rampart.fleet.assess)."""
    request = _request("assess", inventory, extra_vars, fail_on, limit=limit, forks=forks, verbosity=verbose)
    run_and_exit(request, report_dir, as_json, Expect.REPORT)


@verify_app.command()
def verify(
    inventory: Inventory,
    limit: Limit = None,
    extra_vars: ExtraVars = [],  # noqa: B006  typer's own form of a repeatable option
    forks: Forks = None,
    verbose: Verbose = 0,
    report_dir: ReportDir = Path("report"),
    fail_on: FailOn = None,
    as_json: Json = False,
) -> None:
    """Measure a fleet and judge it (ansible-playbook rampart.fleet.verify)."""
    request = _request("verify", inventory, extra_vars, fail_on, limit=limit, forks=forks, verbosity=verbose)
    run_and_exit(request, report_dir, as_json)


@apply_app.command()
def apply(
    inventory: Inventory,
    limit: Limit = None,
    tags: Tags = None,
    skip_tags: SkipTags = None,
    check: Check = False,
    diff: Diff = False,
    extra_vars: ExtraVars = [],  # noqa: B006  typer's own form of a repeatable option
    forks: Forks = None,
    verbose: Verbose = 0,
    report_dir: ReportDir = Path("report"),
    fail_on: FailOn = None,
    as_json: Json = False,
) -> None:
    """Harden a fleet, and verify what that left behind (ansible-playbook rampart.fleet.site)."""
    chosen = {"limit": limit, "tags": tags, "skip_tags": skip_tags, "check": check, "diff": diff}
    request = _request("site", inventory, extra_vars, fail_on, forks=forks, verbosity=verbose, **chosen)
    # A run of chosen tags may leave the verification out; then the tasks alone decide.
    run_and_exit(request, report_dir, as_json, Expect.TASKS if tags or skip_tags or check else Expect.VERDICT)


def _request(
    playbook: str, inventory: Sequence[str], extra_vars: Sequence[str], fail_on: str | None, **more: Any
) -> PlayRequest:
    variables = (*extra_vars, *_fail_on(fail_on))
    return PlayRequest(f"rampart.fleet.{playbook}", tuple(inventory), extra_vars=variables, **more)


def _fail_on(severity: str | None) -> list[str]:
    if severity is None:
        return []
    if severity not in SEVERITIES:
        raise typer.BadParameter(f"{severity!r} is not one of {', '.join(SEVERITIES)}", param_hint="--fail-on")
    return [f"posture_fail_on={shlex.quote(severity)}"]


def run_and_exit(request: PlayRequest, report_dir: Path, as_json: bool, expect: Expect = Expect.VERDICT) -> None:
    """Run, show, and end the process with the exit code of the run."""
    console = Console(stderr=True, highlight=False)
    missing = [each for each in request.inventory if "," not in each and not Path(each).exists()]
    if missing:
        typer.echo(f"inventory {', '.join(missing)} does not exist: give a file, a folder, or 'host1,host2'", err=True)
        raise typer.Exit(USAGE)
    try:
        result = play(request, report_dir, choose(console), expect)
    except RunnerError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(UNDECIDED) from error
    show(result, console, as_json)
    raise typer.Exit(result.exit_code)


def show(result: PlayResult, console: Console, as_json: bool) -> None:
    """A person reads standard error, a machine standard output."""
    print_summary(result, console)
    if as_json:
        typer.echo(json.dumps(result.as_json(), indent=2))
