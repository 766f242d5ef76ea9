# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Is a folder of PAM services fit to be used? Reads them as libpam does and names every wrong decision."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.pam.simulate import (
    Entry,
    UnknownControl,
    decide,
    locked,
    right_secret,
    wrong_secret,
)

TYPES = ("auth", "account", "password", "session")
_LINE = re.compile(r"-?(\w+)\s+(\[[^\]]*\]|\S+)\s+(\S+)\s*(.*)")
_DEPTH = 16


class StackError(ValueError):
    """A service cannot be read as libpam would; the message names it and the line."""


def resolve(services: Mapping[str, str], service: str, kind: str, depth: int = 0) -> list[dict[str, Any]]:
    """Return the lines of a stack with its includes, from the texts of all services by name. Raises StackError."""
    if service not in services:
        raise StackError(f"the PAM service '{service}' is included and does not exist")
    if depth > _DEPTH:
        raise StackError(f"the PAM service '{service}' includes itself")
    found: list[dict[str, Any]] = []
    for line in _lines(services[service]):
        if line.startswith("@include"):
            found += resolve(services, line.split()[-1], kind, depth + 1)
            continue
        match = _LINE.fullmatch(line)
        if match is None or match.group(1) not in TYPES:
            raise StackError(f"the PAM service '{service}' has a line that is none: {line!r}")
        of, control, module, rest = match.groups()
        if of == kind and control in ("include", "substack"):
            found += resolve(services, module, kind, depth + 1)
        elif of == kind:
            found.append({"control": control, "module": module, "args": rest.split()})
    return found


def flat(services: Mapping[str, str], service: str, kind: str) -> str:
    """Return a stack as the text of a service that includes nothing. Raises StackError."""
    lines = ([kind, entry["control"], entry["module"], *entry["args"]] for entry in resolve(services, service, kind))
    return "".join(" ".join(words) + "\n" for words in lines)


def problems(services: Mapping[str, str], judged: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the services named by `judged`; `judged` gives the texts that are in use today.

    A right password that no longer lets in, or a wrong one that does, counts when it is not so today already.
    """
    found: list[str] = []
    for service in judged:
        try:
            found += _problems(services, judged, service)
        except (StackError, UnknownControl) as error:
            found.append(str(error))
    return found


def _problems(services: Mapping[str, str], today: Mapping[str, str], service: str) -> Iterator[str]:
    for kind in TYPES:
        stack = resolve(services, service, kind)
        if not stack:
            continue
        if not decide(stack, _plain(right_secret)) and _was(today, service, kind):
            yield f"the {kind} stack of {service} would refuse everybody"
        if kind == "auth" and decide(stack, _plain(wrong_secret)):
            yield f"the auth stack of {service} would let in with a wrong password"
        uses_lock = any(_bare(entry)["module"] == "pam_faillock.so" for entry in stack)
        if kind == "auth" and uses_lock and decide(stack, _plain(locked)):
            yield f"the auth stack of {service} would let a locked account in"


def _was(today: Mapping[str, str], service: str, kind: str) -> bool:
    try:
        return decide(resolve(today, service, kind), _plain(right_secret))
    except (StackError, UnknownControl):
        return True


def _plain(answers: Any) -> Any:
    return lambda entry: answers(_bare(entry))


def _bare(entry: Entry) -> dict[str, Any]:
    return {**entry, "module": str(entry["module"]).rpartition("/")[2]}


def modules(services: Mapping[str, str]) -> dict[str, str]:
    """Return the modules that the services name and must have, each with one service that does."""
    found: dict[str, str] = {}
    for service, text in services.items():
        for line in _lines(text):
            match = _LINE.fullmatch(line)
            # A line that begins with `-` is passed over when its module is not there.
            if match and not line.startswith("-") and match.group(2) not in ("include", "substack"):
                found.setdefault(match.group(3), service)
    return found


def _lines(text: str) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        bare = line.partition("#")[0].strip()
        if bare:
            yield bare
