# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The command `rampart`: ansible-playbook with progress, a run folder, and an exit code that means something.

Exit codes: 0 the verdict is good, 1 a control at or above the threshold fails, 2 could not decide, 3 usage, 4 drift.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

USAGE = 3
#: What a shell gives a process that SIGINT ended.
INTERRUPTED = 130


@dataclass(frozen=True)
class LazyCommand:
    """A command whose module is imported only when it is called, so that `rampart --help` stays instant."""

    module: str
    attribute: str
    summary: str

    def load(self, name: str) -> Any:
        """The real command; a broken installation ends with exit code 2 and says what is missing."""
        try:
            loaded: typer.Typer = getattr(importlib.import_module(self.module), self.attribute)
        except ImportError as error:
            typer.echo(f"rampart {name}: cannot import {self.module}: {error}. Install rampart-fleet anew.", err=True)
            raise typer.Exit(2) from error
        command = typer.main.get_command(loaded)
        command.name = name
        return command

    def stand_in(self, name: str) -> TyperCommand:
        """What the list of commands shows, without the import."""
        return TyperCommand(name, help=self.summary)


COMMANDS = {
    "assess": LazyCommand("rampart.play_cli", "assess_app", "Measure a fleet; change nothing."),
    "apply": LazyCommand("rampart.play_cli", "apply_app", "Harden a fleet, and verify what that left behind."),
    "verify": LazyCommand("rampart.play_cli", "verify_app", "Measure a fleet and judge it."),
    "report": LazyCommand("rampart.report_cli", "app", "Show, compare and export the results of runs."),
    "lab": LazyCommand("rampart.lab.cli", "app", "Real test hosts on this machine."),
    "demo": LazyCommand("rampart.demo_cli", "app", "Four hosts: before, hardened, after, and the report."),
}


class LazyGroup(TyperGroup):
    """Lists every command from the table above, and imports the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        entry = COMMANDS.get(cmd_name)
        return entry.stand_in(cmd_name) if entry else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name is None or command is None:
            return name, command, rest
        return name, COMMANDS[name].load(name), rest


app = typer.Typer(cls=LazyGroup, rich_markup_mode=None, pretty_exceptions_enable=False)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"rampart {version('rampart-fleet')}")
        raise typer.Exit()


@app.callback(help="Harden GPU fleets and measure what was left behind.", no_args_is_help=True)
def root(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Options that stand before the command."""


def main() -> None:
    """Entry point of the console script."""
    try:
        sys.exit(app(standalone_mode=False))
    except typer.TyperException as error:
        # Typer itself ends with 2, which is a verdict here.
        typer.echo(f"rampart: {error.format_message().rstrip('.')}; --help says what there is", err=True)
        sys.exit(USAGE)
    except typer.Abort:
        sys.exit(INTERRUPTED)
