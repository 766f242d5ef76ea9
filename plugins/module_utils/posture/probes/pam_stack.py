# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The stack of modules that PAM runs for a service, includes resolved, and what its modules are told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

TYPES = ("auth", "account", "password", "session")
_FOLDERS = ("/etc/pam.d", "/usr/lib/pam.d")
# libpam's own limit on nested includes (pam_handlers.c: PAM_SUBSTACK_MAX_LEVEL).
_MAX_DEPTH = 16
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
    stack = list(_lines(host, service, kind, 0))
    if module is None:
        return stack
    chosen = [entry for entry in stack if entry["module"] == module]
    if not chosen:
        raise Absent(f"the {kind} stack of {service} does not run {module}")
    return chosen


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
        _quiet, of, control, module, rest = match.groups()
        if of != kind:
            continue
        if control in ("include", "substack"):
            yield from _lines(host, module, kind, depth + 1)
        else:
            args = [bracketed or plain for bracketed, plain in _ARGUMENT.findall(rest)]
            yield {"control": control, "module": module.rpartition("/")[2], "args": args}


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
