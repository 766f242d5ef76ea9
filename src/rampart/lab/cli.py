# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""`rampart lab`: arguments in, `Lab` called, results and exit codes out."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from rampart.lab import prune
from rampart.lab.errors import LabError
from rampart.lab.lab import Lab, main_say
from rampart.lab.state import Paths

USAGE_OR_ENVIRONMENT = 2
app = typer.Typer(help="Real test hosts on one machine.", no_args_is_help=True, pretty_exceptions_enable=False)

Name = Annotated[str, typer.Option("--name", "-n", help="Which lab; two labs run side by side.")]
Host = Annotated[str, typer.Argument(help="A host of the lab.")]


@app.command()
def up(
    name: Name = "default",
    driver: Annotated[str | None, typer.Option(help="nspawn or qemu; by default what this machine can do.")] = None,
    release: Annotated[str | None, typer.Option(help="Debian release of the hosts: 12 (default) or 13.")] = None,
    topology: Annotated[
        str | None, typer.Option("--topology", "-t", help="demo (default), single, rails, or a .yml file.")
    ] = None,
) -> None:
    """Bring a lab up, or complete one that is there. The path of its inventory goes to standard output."""
    with _errors(), _progress() as say:
        lab = Lab(name, say=say)
        lab.up(topology, driver, release)
    typer.echo(lab.inventory_path)


@app.command()
def down(
    name: Name = "default", every: Annotated[bool, typer.Option("--all", help="All labs of this user.")] = False
) -> None:
    """Remove a lab and everything that belongs to it."""
    failed = False
    for lab in Paths.from_environment().lab_names() if every else [name]:
        try:
            with _progress() as say:
                Lab(lab, say=say).down()
        except LabError as exc:
            failed = True
            typer.echo(f"lab {lab}: {exc}", err=True)
    raise typer.Exit(USAGE_OR_ENVIRONMENT if failed else 0)


@app.command()
def status(
    name: Annotated[str | None, typer.Option("--name", "-n", help="One lab; all by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """What runs. Exit code 0 when every host of every lab answers ssh, 1 when one does not."""
    with _errors():
        labs = {lab: _describe(Lab(lab)) for lab in ([name] if name else Paths.from_environment().lab_names())}
    if as_json:
        typer.echo(json.dumps(labs, indent=2))
    else:
        _print_status(labs)
    ready = all(host["state"] == "running" for lab in labs.values() for host in lab["hosts"])
    raise typer.Exit(0 if ready else 1)


@app.command()
def ssh(host: Host, name: Name = "default") -> None:
    """A shell on a host, as user ops (sudo needs no password)."""
    with _errors():
        argv = Lab(name).ssh_argv(host)
    os.execvp(argv[0], argv)


@app.command(name="exec", context_settings={"ignore_unknown_options": True})
def exec_(
    host: Host,
    command: Annotated[list[str], typer.Argument(help="The command and its arguments, after --.")],
    name: Name = "default",
    user: Annotated[bool, typer.Option("--user", help="As user ops instead of root.")] = False,
) -> None:
    """Run a command on a host, as root; its exit code is passed through."""
    with _errors():
        argv = Lab(name).ssh_argv(host, command, root=not user)
    os.execvp(argv[0], argv)


@app.command()
def inventory(
    name: Name = "default", path: Annotated[bool, typer.Option("--path", help="Only where it is.")] = False
) -> None:
    """The lab's Ansible inventory."""
    with _errors():
        lab = Lab(name)
        assert lab.plan
    typer.echo(lab.inventory_path if path else lab.inventory_path.read_text(encoding="utf-8").rstrip("\n"))


@app.command(name="break")
def break_(
    host: Annotated[str | None, typer.Argument(help="A host of the lab.")] = None,
    fault: Annotated[str | None, typer.Argument(help="A fault, see --list.")] = None,
    name: Name = "default",
    listing: Annotated[bool, typer.Option("--list", help="The faults there are.")] = False,
) -> None:
    """Put a fault on a host, or heal it."""
    with _errors():
        lab = Lab(name, say=main_say)
        if listing:
            for key, sentence in lab.breaks().items():
                typer.echo(f"{key:16} {sentence}")
            return
        if host is None or fault is None:
            raise LabError("wanted a host and a fault: rampart lab break HOST FAULT; faults: rampart lab break --list")
        lab.break_host(host, fault)


@app.command(name="prune")
def prune_() -> None:
    """Remove images, snapshots and packages of earlier recipes that no lab stands on."""
    with _errors(), _progress() as say:
        freed = prune.prune(Paths.from_environment(), say)
    typer.echo(f"{len(freed.names)} folders removed, {freed.size / (1 << 20):.0f} MiB freed")


@app.command()
def paths() -> None:
    """Where labs and caches are."""
    where = Paths.from_environment()
    typer.echo(json.dumps({"state": str(where.state), "cache": str(where.cache)}, indent=2))


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except LabError as exc:
        typer.echo(f"error: {exc}", err=True)
        raise typer.Exit(USAGE_OR_ENVIRONMENT) from exc


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Lines on standard error; on a terminal, with the current step and the elapsed time kept alive below them."""
    if not sys.stderr.isatty():
        yield main_say
        return
    console = Console(stderr=True)
    with console.status("starting") as live:

        def say(line: str) -> None:
            console.print(line, highlight=False, markup=False)
            live.update(line.strip())

        yield say


def _describe(lab: Lab) -> dict[str, Any]:
    plan = lab.plan
    states = lab.states()
    hosts = [
        {"name": host.name, "address": host.address, "mode": host.spec.mode, "state": states[host.name]}
        for host in plan.hosts
    ]
    return {
        "driver": plan.driver,
        "release": plan.release,
        "topology": plan.topology,
        "network": plan.network,
        "inventory": str(lab.inventory_path),
        "hosts": hosts,
    }


def _print_status(labs: dict[str, dict[str, Any]]) -> None:
    if not labs:
        typer.echo("no labs; make one with `rampart lab up`")
    for name, lab in labs.items():
        table = Table("host", "address", "mode", "state", title=f"{name}: {lab['driver']}, Debian {lab['release']}")
        for host in lab["hosts"]:
            table.add_row(host["name"], host["address"], host["mode"], host["state"])
        Console().print(table)
