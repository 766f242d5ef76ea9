# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Audit rules as the kernel holds them: read what auditctl lists, and say which wanted rules are not among them.

auditctl lists rules in other words than they were written (`-k x` becomes `-F key=x`, `unset` becomes -1, system calls
are ordered by number), so rules are compared in one canonical form.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# Lines of a rules file that set the audit system instead of adding a rule.
_CONTROL_OPTIONS = (
    "-D",
    "-b",
    "-f",
    "-e",
    "-r",
    "-c",
    "-i",
    "--backlog_wait_time",
    "--loginuid-immutable",
    "--reset-lost",
)
_UNSET = ("unset", "4294967295", "-1")


@dataclass(frozen=True)
class Rule:
    """One rule in canonical form; `fields` are (name, operator, value), without arch when the rule watches a path."""

    action: frozenset[str]
    syscalls: frozenset[str]
    fields: frozenset[tuple[str, str, str]]

    def value(self, name: str) -> str | None:
        """Return the value of a field such as path, perm or key, or None."""
        return next((value for field, _unused, value in sorted(self.fields) if field == name), None)


def parse_rule(line: str) -> Rule | None:
    """Return the rule in a line of a rules file or of `auditctl -l`; None for comments and control options.

    Raises ValueError for a line that is neither.
    """
    words = shlex.split(line, comments=True)
    if not words or words == ["No", "rules"] or words[0] in _CONTROL_OPTIONS:
        return None
    action: frozenset[str] = frozenset({"always", "exit"})
    syscalls: list[str] = []
    fields: list[tuple[str, str, str]] = []
    if len(words) % 2:
        raise ValueError(f"audit rule {line!r} has an option without a value")
    for option, value in zip(words[::2], words[1::2]):
        if option in ("-a", "-A"):
            action = frozenset(value.split(","))
        elif option == "-S":
            syscalls += value.split(",")
        elif option in ("-F", "-C"):
            fields.append(_field(value))
        elif option in ("-w", "-p", "-k"):
            fields.append({"-w": _watch, "-p": _perm, "-k": _key}[option](value))
        else:
            raise ValueError(f"audit rule {line!r} has the unknown option {option}")
    return _canonical(action, syscalls, fields)


def parse_rules(text: str) -> list[Rule]:
    """Return the rules of a rules file or of `auditctl -l`, in order."""
    rules = (parse_rule(line) for line in text.splitlines())
    return [rule for rule in rules if rule is not None]


def parse_status(text: str) -> dict[str, Any]:
    """Return the pairs of `auditctl -s` (`enabled 1`); numbers as int, other values as they are."""
    pairs = (line.split(None, 1) for line in text.splitlines() if " " in line.strip())
    return {pair[0]: _number(pair[1].strip()) for pair in pairs}


def missing(wanted: str, loaded: str) -> list[str]:
    """Return the lines of the wanted rules file that are not among the rules that `auditctl -l` lists."""
    have = set(parse_rules(loaded))
    lines = (line.strip() for line in wanted.splitlines())
    return [line for line in lines if (rule := parse_rule(line)) is not None and rule not in have]


def wanted_status(rules: str) -> dict[str, int]:
    """Return what the control options of a rules file set: backlog_limit, failure and enabled."""
    names = {"-b": "backlog_limit", "-f": "failure", "-e": "enabled"}
    pairs = (line.split() for line in rules.splitlines())
    return {names[pair[0]]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[0] in names}


def watches(rules: Iterable[Rule]) -> list[str]:
    """Return the watched paths with what is watched, such as `/etc/passwd wa`, sorted."""
    found = ((rule.value("path"), rule.value("perm") or "rwxa") for rule in rules)
    return sorted(f"{path} {perm}" for path, perm in found if path)


def recorded_syscalls(rules: Iterable[Rule]) -> list[str]:
    """Return the system calls that rules without a path record on exit, sorted; `all` where a rule names none."""
    names: set[str] = set()
    for rule in rules:
        if "always" in rule.action and not rule.value("path"):
            names |= rule.syscalls or {"all"}
    return sorted(names)


def _canonical(action: frozenset[str], syscalls: list[str], fields: list[tuple[str, str, str]]) -> Rule:
    names = frozenset(name for name in syscalls if name != "all")
    watch = any(name == "path" for name, _unused, _unused in fields)
    kept = [item for item in fields if not (watch and not names and item[0] == "arch")]
    return Rule(action, names, frozenset(kept))


def _field(text: str) -> tuple[str, str, str]:
    for operator in ("!=", ">=", "<=", "&=", "=", ">", "<", "&"):
        name, found, value = text.partition(operator)
        if found and name.isidentifier():
            break
    else:
        raise ValueError(f"audit field {text!r} has no operator")
    if name in ("path", "dir"):
        return ("path", operator, value.rstrip("/"))
    if name == "perm":
        return _perm(value)
    return (name, operator, "-1" if value in _UNSET else value)


def _watch(path: str) -> tuple[str, str, str]:
    return ("path", "=", path.rstrip("/"))


def _perm(letters: str) -> tuple[str, str, str]:
    return ("perm", "=", "".join(letter for letter in "rwxa" if letter in letters))


def _key(key: str) -> tuple[str, str, str]:
    return ("key", "=", key)


def _number(text: str) -> Any:
    return int(text) if text.lstrip("-").isdigit() else text
