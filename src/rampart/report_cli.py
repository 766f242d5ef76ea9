# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""`rampart report`: show the last report, say what changed since another run, and accept a baseline."""

from __future__ import annotations

import json
import shutil
import sys
import webbrowser
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from ansible_collections.rampart.fleet.plugins.plugin_utils.report import terminal
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.diff import Snapshot, snapshot
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.files import (
    Content,
    ReportUnwritable,
    write_together,
)
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.formats import export, mlbom
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.history import History, HistoryError
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.memory import without_cycle_search
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.publish import changes_since
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.schema import ReportInvalid, validate
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.signing import SigningError, check
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.summary import problem_lines

from rampart.runner.verdict import FAILING, GOOD, USAGE

Json = dict[str, Any]

COLORS = {"good": typer.colors.GREEN, "bad": typer.colors.RED, "open": typer.colors.YELLOW, "plain": None}
MAX_LINES = 20

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


class UsageError(Exception):
    """What was asked for cannot be shown; says what to do."""


def load(directory: Path) -> Json:
    """Return the report in ``directory``; raise UsageError when there is none that can be read."""
    path = directory / "posture.json"
    try:
        with without_cycle_search():
            report = json.loads(path.read_text(encoding="utf-8"))
            validate(report)
    except FileNotFoundError as error:
        raise UsageError(f"no report at {path}; run `rampart verify`, or name the folder with --dir") from error
    except (OSError, ValueError, ReportInvalid) as error:
        raise UsageError(f"{path} is not a readable report: {error}; run `rampart verify` to write it anew") from error
    return dict(report)


def other_run(history: History, since: str, run_id: str) -> Snapshot:
    """Return the run to compare with: the last one, the baseline, or one by id."""
    if since == "baseline":
        found = history.baseline()
        missing = "no baseline is accepted; `rampart report --accept-baseline` makes the current run the baseline"
    elif since:
        return history.run(since)
    else:
        found = history.previous(run_id)
        missing = f"the history {history.path} has no run before {run_id}"
    if found is None:
        raise UsageError(missing)
    return found


def _screen() -> terminal.Screen:
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    return terminal.Screen(shutil.get_terminal_size((100, 24)).columns, encoding == "utf8")


def _print(lines: list[terminal.Line]) -> None:
    for line in lines:
        typer.secho(line.text, fg=COLORS[line.tone])


def _json(data: Json) -> None:
    typer.echo(json.dumps(data, indent=2))


def _show_diff(report: Json, history: History, since: str, as_json: bool) -> int:
    changes = changes_since(other_run(history, since, report["run"]["id"]), snapshot(report), history)
    if as_json:
        _json(changes)
    else:
        _print(terminal.render_diff(changes, _screen()))
    return 1 if changes["new_failures"] else 0


def _show_report(report: Json, directory: Path, as_json: bool) -> int:
    if as_json:
        _json({"run": report["run"], "verdict": report["verdict"], "problems": problem_lines(report, sys.maxsize)})
    else:
        _print(terminal.render(report, _screen()))
        for line in problem_lines(report, MAX_LINES):
            typer.echo(line)
        typer.echo(f"Report: {(directory / 'index.html').resolve()}")
    return int(report["verdict"]["exit_code"])


def _show_verification(history: History, allowed_signers: Path | None, as_json: bool) -> int:
    if allowed_signers is not None and not allowed_signers.is_file():
        raise UsageError(f"--allowed-signers {allowed_signers} is no file; see ALLOWED SIGNERS in ssh-keygen(1)")
    found = history.verify(partial(check, allowed_signers=allowed_signers))
    if as_json:
        _json({**asdict(found), "holds": not found.problems})
    else:
        for problem in found.problems:
            typer.secho(problem, fg=COLORS["bad"])
        typer.secho(
            f"{history.path}: {found.records} records, {found.signed} signed, {found.detailed} with all results; "
            f"the chain {'is broken' if found.problems else 'holds'} and ends in {found.head or 'nothing'}",
            fg=COLORS["bad" if found.problems else "good"],
        )
    return FAILING if found.problems else GOOD


def _export(report: Json, directory: Path, formats: list[str], models: Path | None) -> int:
    known = [*export.FORMATS, "cyclonedx"]
    for name in formats:
        if name not in known:
            raise UsageError(f"--export {name} is not one of {', '.join(known)}")
    contents = export.contents(report, [name for name in formats if name != "cyclonedx"])
    if "cyclonedx" in formats:
        contents["models.cdx.json"] = Content(_bill(report, models))
    for path in write_together(directory, contents):
        typer.echo(path)
    return GOOD


def _bill(report: Json, models: Path | None) -> str:
    if models is None:
        raise UsageError("--export cyclonedx needs --models, a YAML list of {name, version, files: [{path, sha256}]}")
    try:
        listed = yaml.safe_load(models.read_text(encoding="utf-8"))
        return mlbom.render(listed, report["run"]["title"], report["run"]["finished"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, mlbom.ModelsInvalid) as error:
        raise UsageError(f"--models {models}: {error}") from error


@app.command()
def report(
    directory: Annotated[Path, typer.Option("--dir", help="Folder of the report.")] = Path("report"),
    history: Annotated[Path | None, typer.Option(help="History file; history.sqlite in --dir when left out.")] = None,
    show_diff: Annotated[bool, typer.Option("--diff", help="Say what changed; exit 1 on new failures.")] = False,
    since: Annotated[str, typer.Option(help="Compare with this run (id or its beginning) or `baseline`.")] = "",
    accept_baseline: Annotated[
        bool, typer.Option("--accept-baseline", help="Make this run the one that later ones are compared with.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the history: every run as it was recorded, and the signatures.")
    ] = False,
    allowed_signers: Annotated[
        Path | None, typer.Option(help="With --verify: who may have signed, as ssh-keygen has it.")
    ] = None,
    export_as: Annotated[
        list[str], typer.Option("--export", help="Write a further format into --dir: oscal, ocsf, sarif, cyclonedx.")
    ] = [],  # noqa: B006  typer's own form of a repeatable option
    models: Annotated[
        Path | None, typer.Option(help="With --export cyclonedx: YAML list of the models that are served.")
    ] = None,
    open_page: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Show the last report. Exit codes: 0 good, 1 a control fails (with --diff: newly fails), 2 undecided, 3 usage."""
    remembered = History(history or directory / "history.sqlite")
    try:
        if verify:
            raise typer.Exit(_show_verification(remembered, allowed_signers, as_json))
        current = load(directory)
        if export_as:
            raise typer.Exit(_export(current, directory, export_as, models))
        if accept_baseline:
            remembered.accept_baseline(current["run"]["id"])
            typer.echo(f"Run {current['run']['id']} is the baseline now.", err=as_json)
        if show_diff or since:
            code = _show_diff(current, remembered, since, as_json)
        elif accept_baseline:
            code = 0
        else:
            code = _show_report(current, directory, as_json)
    except (UsageError, HistoryError, SigningError, ReportUnwritable) as error:
        typer.secho(f"rampart report: {error}", fg=typer.colors.RED, err=True)
        raise typer.Exit(USAGE) from error
    if open_page and not webbrowser.open((directory / "index.html").resolve().as_uri()):
        typer.echo("No browser could be started; open the page by hand.", err=True)
    raise typer.Exit(code)
