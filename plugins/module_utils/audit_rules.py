# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Audit rules as the kernel holds them: read what auditctl lists, and say which wanted rules are not among them.

auditctl lists rules in other words than they were written (`-k x` becomes `-F key=x`, `unset` becomes -1, system calls
are ordered by number), so rules are compared in one canonical form.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
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
        elif option == "-F":
            fields.append(_field(value))
        elif option == "-C":
            fields.append(_comparison(value))
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


def merged(files: Mapping[str, str]) -> str:
    """Return what augenrules makes of the files of rules.d: by name as `ls -v` sorts, of a setting the last one."""
    lines = [line.strip() for name in sorted(files, key=_version_key) for line in files[name].splitlines()]
    kept = [line for line in lines if line and not line.startswith("#")]
    settings = {line[:2]: line for line in kept if line == "-D" or line[:2] in ("-b", "-f", "-e")}
    rules = [line for line in kept if line[:2] not in ("-b", "-f", "-e") and line != "-D"]
    first = [settings[name] for name in ("-D", "-b", "-f") if name in settings]
    return "".join(f"{line}\n" for line in [*first, *rules, *([settings["-e"]] if "-e" in settings else [])])


def arches(machine: str) -> list[str]:
    """Return the arches by which a kernel takes system calls: 64-bit x86 runs 32-bit programs as well."""
    return ["b64", "b32"] if machine == "x86_64" else ["b64"]


def unknown_calls(machine: str) -> dict[str, list[str]]:
    """Return, by arch, the system calls of our rules that the architecture never had."""
    if machine == "x86_64":
        # Linux has no second of these on i386, and auditctl gives the first another name there.
        return {"b64": [], "b32": ["kexec_file_load", "kexec_load"]}
    # Architectures since arm64 have no calls without a directory descriptor, and none of those that Linux 2.6 dropped.
    dropped = ["create_module", "query_module", "creat", "open", "chmod", "chown", "lchown", "rename", "unlink"]
    return {"b64": dropped}


def uncovered(wanted: Iterable[str], rules: Sequence[Rule], machine: str) -> list[str]:
    """Return what of the wanted lines the rules do not record, as lines with one system call of one arch each.

    A loaded rule covers a wanted one when it asks for no more than that one does, whatever its key; a rule on a folder
    covers what lies below. A rule that never records hides what comes after it when it is as wide as the wanted one.
    """
    return [str(part) for line in wanted for part in _parts(line, machine) if not _covered(part, rules)]


def silencers(rules: Iterable[Rule]) -> list[str]:
    """Return the rules that keep records of all processes, or of a whole type, from being written, as text."""
    return sorted(describe(rule) for rule in rules if _silences(rule))


def describe(rule: Rule) -> str:
    """Return a rule as text, its parts in one order."""
    calls = f" -S {','.join(sorted(rule.syscalls))}" if rule.syscalls else ""
    return f"-a {','.join(sorted(rule.action))}{calls}" + "".join(
        f" -F {''.join(item)}" for item in sorted(rule.fields)
    )


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


@dataclass(frozen=True)
class _Part:
    """One system call of one arch, or one path, that shall be recorded."""

    line: str
    syscall: str
    path: str
    perm: str
    fields: frozenset[tuple[str, str, str]]

    def __str__(self) -> str:
        return self.line


def _parts(line: str, machine: str) -> list[_Part]:
    rule = parse_rule(line)
    if rule is None:
        raise ValueError(f"{line!r} is no audit rule")
    path = rule.value("path") or ""
    plain = frozenset(item for item in rule.fields if item[0] not in ("key", "path", "perm"))
    if path:
        return [_Part(line, "", path, rule.value("perm") or "rwxa", plain)]
    given = rule.value("arch")
    absent = unknown_calls(machine)
    rest = frozenset(item for item in plain if item[0] != "arch")
    words = "".join(f" {name}{op}{value}" for name, op, value in sorted(rest))
    return [
        _Part(f"{arch} {call}{words}", call, "", "", rest | {("arch", "=", arch)})
        for arch in ([given] if given else arches(machine))
        for call in sorted(rule.syscalls)
        if call not in absent.get(arch, [])
    ]


def _covered(part: _Part, rules: Sequence[Rule]) -> bool:
    for rule in rules:
        if "exit" in rule.action and _matches(rule, part):
            return "always" in rule.action
    return False


def _matches(rule: Rule, part: _Part) -> bool:
    """Say whether whatever the part means is met by the rule."""
    path = rule.value("path") or ""
    if part.path:
        below = part.path == path or part.path.startswith(path + "/")
        about = bool(path) and below and set(part.perm) <= set(rule.value("perm") or "rwxa")
    else:
        about = not path and (not rule.syscalls or part.syscall in rule.syscalls) and rule.value("perm") is None
    # What a rule asks besides is looked at last: there are many rules, and few are about the same thing.
    return about and {item for item in rule.fields if item[0] not in ("key", "path", "perm")} <= part.fields


def _silences(rule: Rule) -> bool:
    if "exclude" in rule.action:
        return True
    narrow = {item for item in rule.fields if item[0] not in ("key", "arch")}
    return "never" in rule.action and (("task" in rule.action and not narrow) or not (narrow or rule.syscalls))


def _version_key(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts names as `ls -v` does: numbers by value, and before letters."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


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


def _comparison(text: str) -> tuple[str, str, str]:
    """Return a comparison of two properties of the process in one order: the kernel keeps the one that it likes."""
    first, operator, second = _field(text)
    return (min(first, second), operator, max(first, second))


def _watch(path: str) -> tuple[str, str, str]:
    return ("path", "=", path.rstrip("/"))


def _perm(letters: str) -> tuple[str, str, str]:
    return ("perm", "=", "".join(letter for letter in "rwxa" if letter in letters))


def _key(key: str) -> tuple[str, str, str]:
    return ("key", "=", key)


def _number(text: str) -> Any:
    return int(text) if text.lstrip("-").isdigit() else text
