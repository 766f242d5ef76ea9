# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Names and values of kernel parameters: checked, and brought to one form.

The inner form of a key is its path below /proc/sys, such as `net/ipv4/conf/eth0.100/rp_filter`; a key may hold the
shell patterns `*`, `?` and `[...]`, which systemd-sysctl expands as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_KEY = re.compile(r"[A-Za-z0-9_.:/*?\[\]@-]+")
_VALUE = re.compile(r"[\t -~]+")


class SettingError(ValueError):
    """A key or value is none; the message names all of them."""


def canonical(key: str) -> str:
    """Return the path form of a key. As in sysctl(8), dots are slashes unless the first separator is a slash."""
    first = re.search(r"[./]", key)
    if first is not None and first.group() == "/":
        return key
    return key.translate({ord("."): "/", ord("/"): "."})


def dotted(path: str) -> str:
    """Return the form that people write; a key with a dot inside a name keeps its slashes."""
    return path if "." in path else path.replace("/", ".")


def is_pattern(path: str) -> bool:
    """Say whether a key stands for several."""
    return any(sign in path for sign in "*?[")


def normal(value: Any) -> str:
    """Return a value as the kernel prints it: runs of blanks made one space, booleans as 1 and 0."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return " ".join(str(value).split())


def settings_of(wanted: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings by path form in their order; raise SettingError naming every key or value that is none."""
    settings: dict[str, str] = {}
    problems = []
    for key, value in wanted.items():
        problems += _problems(key, value)
        path = canonical(str(key))
        if path in settings:
            problems.append(f"{key}: set twice, wanted once")
        settings[path] = normal(value)
    if problems:
        raise SettingError("; ".join(problems))
    return settings


def spelled_out(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings with what a pattern of interfaces says of `all` and `default` under their own names as well.

    It is the same to the kernel; scanners look for a line with the name. An exact key beats the pattern here too.
    """
    named = {
        path.replace("/conf/*/", f"/conf/{name}/"): value
        for path, value in settings.items()
        for name in ("all", "default")
        if "/conf/*/" in path
    }
    return {**named, **settings}


def _problems(key: Any, value: Any) -> list[str]:
    path = canonical(str(key))
    problems = []
    if not _KEY.fullmatch(str(key)) or "/" not in path or any(part in ("", ".", "..") for part in path.split("/")):
        problems.append(f"{key!r} is no sysctl key, wanted words joined by dots such as kernel.kptr_restrict")
    if not isinstance(value, (str, int)) or not _VALUE.fullmatch(normal(value) or "\n"):
        problems.append(f"{key}: the value {value!r} is wrong, wanted a number or one line of printable text")
    return problems
