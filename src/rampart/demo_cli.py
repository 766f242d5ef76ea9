# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""`rampart demo`: four real hosts on this machine, measured as they are, hardened, measured again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from rampart.demo import LAB, choose_driver, comparison, open_controls, read_report
from rampart.lab.state import Paths
from rampart.runner.play import UNDECIDED, PlayResult, RunnerError, play
from rampart.runner.request import PlayRequest, executables
from rampart.runner.summary import print_summary
from rampart.runner.verdict import Expect
from rampart.runner.view import choose

#: Administrators' commands are not on a normal user's PATH in Debian.
SEARCH_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"

app = typer.Typer(rich_markup_mode=None)


class Stopwatch:
    """Runs the steps of the demo one after the other and keeps their times in seconds."""

    def __init__(self, console: Console) -> None:
        self.times: list[tuple[str, float]] = []
        self._console = console

    def step(self, title: str, work: Callable[[], PlayResult | None]) -> PlayResult | None:
        self._console.rule(f"{len(self.times) + 1}  {title}", align="left")
        start = time.monotonic()
        result = work()
        self.times.append((title, time.monotonic() - start))
        return result


@app.command()
def demo(
    driver: Annotated[str | None, typer.Option(help="nspawn or qemu; chosen and explained when not given.")] = None,
    report_dir: Annotated[Path, typer.Option(help="Where the report is written.")] = Path("report"),
) -> None:
    """Four real hosts: measured as they are, hardened, verified; they stay until `rampart lab down --name demo`."""
    console = Console(highlight=False)
    driver = driver or _choose(console)
    watch = Stopwatch(console)
    inventory = Paths.from_environment().lab(LAB).inventory
    history = f"posture_history={(report_dir / 'history.sqlite').resolve()}"
    assess = PlayRequest("rampart.fleet.assess", (str(inventory),), extra_vars=(history,))
    apply = PlayRequest("rampart.fleet.site", (str(inventory),), extra_vars=(history,))
    watch.step(f"Four hosts boot ({driver})", lambda: _lab_up(driver))
    watch.step("Before: the hosts are measured", lambda: _play(assess, report_dir / "before", Expect.REPORT))
    result = watch.step("The hosts are hardened, then verified", lambda: _play(apply, report_dir, Expect.VERDICT))
    console.rule("Result", align="left")
    _show(console, watch, report_dir, result)
    raise typer.Exit(result.exit_code if result else UNDECIDED)


def _choose(console: Console) -> str:
    choice = choose_driver(
        sys.platform,
        os.geteuid() == 0,
        has_nspawn=shutil.which("systemd-nspawn", path=SEARCH_PATH) is not None,
        has_qemu=shutil.which("qemu-system-x86_64", path=SEARCH_PATH) is not None,
    )
    if choice is None:
        typer.echo("neither systemd-nspawn (as root) nor qemu-system-x86_64 is here: run scripts/setup demo", err=True)
        raise typer.Exit(UNDECIDED)
    console.print(f"driver {choice.driver}: {choice.reason}", soft_wrap=True)
    return choice.driver


def _lab_up(driver: str) -> None:
    command = [str(executables() / "rampart"), "lab", "up", "--name", LAB, "--driver", driver, "--topology", "demo"]
    done = subprocess.run(command, env={**os.environ, "PATH": SEARCH_PATH}, check=False)
    if done.returncode:
        typer.echo(f"the hosts did not come up: {' '.join(command)} ended with {done.returncode}", err=True)
        raise typer.Exit(UNDECIDED)


def _play(request: PlayRequest, report_dir: Path, expect: Expect) -> PlayResult:
    console = Console(stderr=True, highlight=False)
    try:
        result = play(request, report_dir, choose(console), expect)
    except RunnerError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(UNDECIDED) from error
    print_summary(result, console)
    if result.verdict is None:
        raise typer.Exit(UNDECIDED)
    return result


def _show(console: Console, watch: Stopwatch, report_dir: Path, result: PlayResult | None) -> None:
    after = read_report(report_dir)
    console.print(comparison(read_report(report_dir / "before"), after))
    still_open = open_controls(after)
    if still_open:
        console.print("\nstill open:")
    for line in still_open:
        console.print(f"  {line}", soft_wrap=True, markup=False)
    if result and result.verdict:
        console.print(f"\nverdict: {result.verdict.state}")
    console.print(f"report:    {(report_dir / 'index.html').resolve()}", soft_wrap=True)
    console.print(f"before:    {(report_dir / 'before' / 'index.html').resolve()}", soft_wrap=True)
    console.print(f"look in:   rampart lab ssh --name {LAB} gpu1")
    console.print(f"clean up:  make demo-clean   (or: rampart lab down --name {LAB})")
    spent = ", ".join(f"{title.partition(':')[0].lower()} {seconds:.0f} s" for title, seconds in watch.times)
    console.print(f"time:      {sum(seconds for _, seconds in watch.times):.0f} s ({spent})", soft_wrap=True)
