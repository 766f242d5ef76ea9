# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The stack of modules that PAM runs for a service, includes resolved, and what its modules are told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.pam.simulate import (
    UnknownControl,
    decide,
    locked,
    right_secret,
    wrong_secret,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

TYPES = ("auth", "account", "password", "session")
_FOLDERS = ("/etc/pam.d", "/usr/lib/pam.d")
# libpam's own limit on nested includes (pam_handlers.c: PAM_SUBSTACK_MAX_LEVEL).
_MAX_DEPTH = 16
_SHOWN = ("control", "module", "args")
_MODULES = ("/lib/security", "/lib/*/security", "/usr/lib/*/security", "/lib64/security")
_LINE = re.compile(r"(-?)(\w+)\s+(\[[^\]]*\]|\S+)\s+(\S+)\s*(.*)")
_ARGUMENT = re.compile(r"\[([^\]]*)\]|(\S+)")


@probe(
    "pam_stack", required=("service", "type"), optional=("module",), source="PAM stack of {service}, {type} {module}"
)
def pam_stack(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return the lines of a stack in order: [{control, module (such as pam_unix.so), args: [..]}].

    `type` is auth, account, password or session. With `module` only the lines of that module. Absent when the host has
    no such service, or, with `module`, when the stack does not run it.
    """
    service, kind, module = str(params["service"]), str(params["type"]), params.get("module")
    if kind not in TYPES:
        raise ProbeError(f"'{kind}' is no type of a PAM stack, wanted one of {', '.join(TYPES)}")
    stack = [{key: entry[key] for key in _SHOWN} for entry in _lines(host, service, kind, 0)]
    if module is None:
        return stack
    chosen = [entry for entry in stack if entry["module"] == module]
    if not chosen:
        raise Absent(f"the {kind} stack of {service} does not run {module}")
    return chosen


@probe("pam_lines", optional=("modules",), source="PAM stacks of all services {modules}")
def pam_lines(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return the lines of every service with its includes: [{name: service, type, control, module, args,
    options: the arguments without their values}].

    `modules` keeps only the lines of these.
    """
    wanted = params.get("modules")
    found = host.once("pam_lines", lambda: list(_every_line(host)))
    return [line for line in found if wanted is None or line["module"] in wanted]


@probe("pam_decisions", optional=("services",), source="PAM auth stacks of services, played through {services}")
def pam_decisions(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return what the auth stack of each service decides: [{name, right, wrong, locked: bool, lets in}].

    The stack is played through by libpam's rules: `right` with the right password, `wrong` with a wrong one, where
    every module that knows no secret says yes, and `locked` with the right one on an account that pam_faillock has
    locked (null where the stack does not run it). Files that others include are among them. `services` narrows.
    """
    decisions = []
    wanted = params.get("services")
    for service in (name for name in _services(host) if wanted is None or name in wanted):
        stack = list(_lines(host, service, "auth", 0))
        if not stack:
            continue
        guarded = any(entry["module"] == "pam_faillock.so" for entry in stack)
        try:
            decisions.append({
                "name": service, "right": decide(stack, right_secret), "wrong": decide(stack, wrong_secret),
                "locked": decide(stack, locked) if guarded else None,
            })  # fmt: skip
        except UnknownControl as error:
            raise ProbeError(f"PAM service {service}: {error}") from error
    return decisions


@probe("pam_modules", source="PAM stacks of all services, stat of the modules")
def pam_modules(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return the modules that the services must have: [{name, path, exists, owner, mode}], the first copy."""
    names = sorted({line["path"] for line in host.once("pam_lines", lambda: list(_every_line(host))) if line["wanted"]})
    return [_module(host, name) for name in names]


def _module(host: Host, name: str) -> dict[str, Any]:
    places = [name] if name.startswith("/") else [path for home in _MODULES for path in host.glob(f"{home}/{name}")]
    for place in places:
        try:
            status = host.stat(place)
        except Absent:
            continue
        owner = host.user_name(status.uid) or str(status.uid)
        return {"name": name, "path": place, "exists": True, "owner": owner, "mode": status.octal}
    return {"name": name, "path": name, "exists": False, "owner": None, "mode": "0000"}


def _every_line(host: Host) -> Iterator[dict[str, Any]]:
    for service in _services(host):
        for kind in TYPES:
            for entry in _lines(host, service, kind, 0):
                options = [argument.partition("=")[0] for argument in entry["args"]]
                yield {"name": service, "type": kind, **entry, "options": options}


def _services(host: Host) -> list[str]:
    """Return the names of the services; libpam takes no file with a dot in its name for one that is asked for."""
    names = {path.rpartition("/")[2] for folder in _FOLDERS for path in host.glob(f"{folder}/*")}
    found = sorted(name for name in names if "." not in name and not name.endswith("~"))
    if not found:
        raise ProbeError("no PAM service in " + " or ".join(_FOLDERS))
    return found


def arguments(stack: list[dict[str, Any]]) -> dict[str, str]:
    """Return the arguments of all lines of a stack by name; an argument without a value has the value 'yes'."""
    pairs = (argument.partition("=") for entry in stack for argument in entry["args"])
    return {name: value if sign else "yes" for name, sign, value in pairs}


def _lines(host: Host, service: str, kind: str, depth: int) -> Iterator[dict[str, Any]]:
    if depth > _MAX_DEPTH:
        raise ProbeError(f"the PAM files of {service} include each other more than {_MAX_DEPTH} deep")
    for line in _logical_lines(_read(host, service)):
        if line.startswith("@include"):
            yield from _lines(host, line.split()[-1], kind, depth + 1)
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ProbeError(f"PAM service {service} has a line that is none: {line!r}")
        quiet, of, control, module, rest = match.groups()
        if of != kind:
            continue
        if control in ("include", "substack"):
            yield from _lines(host, module, kind, depth + 1)
        else:
            args = [bracketed or plain for bracketed, plain in _ARGUMENT.findall(rest)]
            name = module.rpartition("/")[2]
            yield {"control": control, "module": name, "args": args, "path": module, "wanted": not quiet}


def _read(host: Host, service: str) -> str:
    for folder in _FOLDERS:
        try:
            return host.read_text(f"{folder}/{service}")
        except Absent:
            continue
    raise Absent(f"no PAM service {service} in {' or '.join(_FOLDERS)}")


def _logical_lines(text: str) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        line = line.partition("#")[0].strip()
        if line:
            yield line
