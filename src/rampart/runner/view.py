# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What a person sees while a run goes on: a grid of hosts and stages on a terminal, one line a step elsewhere."""

from __future__ import annotations

from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rampart.runner.state import Cell, RunState

#: A grid taller than the terminal cannot be refreshed in place: the busiest hosts are shown, the rest is counted.
MAX_ROWS = 24


class View(Protocol):
    """Shows a run; `update` is called a few times a second from one thread."""

    def __enter__(self) -> View: ...

    def __exit__(self, *_: object) -> None: ...

    def update(self, state: RunState, elapsed: float) -> None: ...


def clock(seconds: float) -> str:
    """m:ss"""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def cell_text(cell: Cell | None) -> Text:
    """One cell: running phase, or what came out."""
    if cell is None:
        return Text("·", style="dim")
    if cell.failed:
        return Text(f"failed {cell.failed}", style="bold red")
    if cell.phase:
        return Text(cell.phase, style="cyan")
    if cell.changed:
        return Text(f"{cell.changed} changed", style="yellow")
    return Text("ok", style="green")


def grid(state: RunState, elapsed: float) -> RenderableType:
    """The whole picture: a row a host, a column a stage, and the current task below."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("host", no_wrap=True)
    for stage in state.stages:
        table.add_column(stage.replace("_", " "), no_wrap=True)
    for title in ("ok", "changed", "failed"):
        table.add_column(title, justify="right", no_wrap=True)
    for host in state.hosts[:MAX_ROWS]:
        total = state.totals(host)
        cells = [cell_text(state.cells.get((host, stage))) for stage in state.stages]
        table.add_row(host, *cells, str(total.ok + total.changed), str(total.changed), str(total.failed))
    hidden = len(state.hosts) - MAX_ROWS
    lines: list[RenderableType] = [table]
    if hidden > 0:
        lines.append(Text(f"... and {hidden} hosts more", style="dim"))
    lines.append(Text(f"{clock(elapsed)}  {state.play}: {state.task}", style="dim", overflow="ellipsis", no_wrap=True))
    return Group(*lines)


class TerminalView:
    """A grid that is redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=False)

    def __enter__(self) -> TerminalView:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def update(self, state: RunState, elapsed: float) -> None:
        self._live.update(grid(state, elapsed))


class LineView:
    """One line when the task changes and one a failure: for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._task = ""
        self._failures = 0

    def __enter__(self) -> LineView:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def update(self, state: RunState, elapsed: float) -> None:
        if state.task and state.task != self._task:
            self._task = state.task
            self._print(f"{clock(elapsed)} {state.play}: {state.task}")
        for failure in state.failures[self._failures :]:
            self._print(f"{clock(elapsed)} FAILED on {failure.host}: {failure.task}")
        self._failures = max(self._failures, len(state.failures))

    def _print(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)


def choose(console: Console) -> View:
    """A grid on a terminal, lines elsewhere."""
    return TerminalView(console) if console.is_terminal else LineView(console)
