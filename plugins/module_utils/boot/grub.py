# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What a boot menu of GRUB would start: its entries, its users, and the entry that starts by itself. Pure.

Reads what grub-mkconfig writes and what people add by hand in the same manner; it runs no GRUB script.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_LINUX = ("linux", "linux16", "linuxefi")
_INITRD = ("initrd", "initrd16", "initrdefi")
_ENTRY = ("menuentry", "submenu")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_DEPTH = 8


class MenuError(ValueError):
    """The menu starts nothing that can be told; the message says what was looked for."""


@dataclass(frozen=True)
class Entry:
    """One entry that starts a kernel. `place` are the numbers that lead to it; `names` the titles and ids by level."""

    title: str
    place: tuple[int, ...]
    names: tuple[frozenset[str], ...]
    unrestricted: bool
    kernel: str = ""
    initrds: tuple[str, ...] = ()
    arguments: str = ""

    @property
    def recovery(self) -> bool:
        """Say whether it starts a shell for repairs instead of the system."""
        words = set(self.arguments.split())
        return bool(words & {"single", "recovery", "1", "S", "emergency", "rescue"})


@dataclass
class Menu:
    """A menu: entries with a kernel in order, accounts that may change it, and what `default` was set to."""

    entries: list[Entry] = field(default_factory=list)
    superusers: list[str] = field(default_factory=list)
    passwords: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def protected(self) -> bool:
        """Say whether the menu asks for a hashed password of one of its superusers."""
        return any(self.passwords.get(name) == "pbkdf2" for name in self.superusers)

    def default(self) -> Entry:
        """Return the entry that starts by itself; MenuError when there is none."""
        if not self.entries:
            raise MenuError("the menu has no entry with a kernel")
        wanted = self.variables.get("default") or "0"
        # GRUB starts the first entry when the one that it looks for is not there.
        return next((entry for entry in self.entries if _is(entry, wanted)), self.entries[0])


def read(texts: Sequence[str], environment: Mapping[str, str]) -> Menu:
    """Return the menu of configuration texts in the order in which GRUB reads them, with what grubenv holds."""
    menu = Menu(variables=dict(environment))
    reader = _Reader(menu)
    for text in texts:
        for line in text.replace("\\\n", " ").splitlines():
            reader.line(line.strip())
    return menu


def environment_block(text: str) -> dict[str, str]:
    """Return the variables of a grubenv file."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value for name, _unused, value in pairs}


@dataclass
class _Open:
    """A block of braces that is not closed yet; `entry` for a menuentry or submenu."""

    kind: str
    title: str = ""
    names: frozenset[str] = frozenset()
    unrestricted: bool = False
    kernel: str = ""
    initrds: tuple[str, ...] = ()
    arguments: str = ""
    children: int = 0


class _Reader:
    def __init__(self, menu: Menu) -> None:
        self._menu = menu
        self._open: list[_Open] = []
        self._children = 0
        self._places: list[int] = []
        # One truth value an open `if`: whether its branch is taken.
        self._branches: list[bool] = []

    def line(self, text: str) -> None:
        words = _words(text)
        if not words or words[0].startswith("#"):
            return
        if self._branch(words):
            return
        if words[0] in _ENTRY and words[-1] == "{":
            self._begin(words)
        elif words[-1] == "{":
            self._open.append(_Open("other"))
        elif words[0] == "}":
            self._end()
        elif all(self._branches):
            self._command(words)

    def _branch(self, words: list[str]) -> bool:
        """Follow if, else and fi; a condition other than whether a variable is set counts as true."""
        if words[0] == "if" and words[-1] == "fi":
            # A condition on one line loads a module; it neither starts nor sets anything.
            return True
        if words[0] == "if":
            self._branches.append(self._holds(words[1:]))
        elif words[0] in ("else", "elif") and self._branches:
            self._branches[-1] = not self._branches[-1]
        elif words[0] == "fi" and self._branches:
            self._branches.pop()
        else:
            return False
        return True

    def _holds(self, words: list[str]) -> bool:
        test = [word.rstrip(";") for word in words if word not in ("then", ";")]
        if len(test) == 3 and test[0] == "[" and test[2] == "]":
            return bool(self._value(test[1]))
        return True

    def _begin(self, words: list[str]) -> None:
        options, titles = [], []
        rest = iter(words[1:-1])
        for word in rest:
            if word in ("--class", "--users", "--hotkey", "--id", "$menuentry_id_option"):
                options.append((word, next(rest, "")))
            elif word.startswith("--"):
                options.append((word.partition("=")[0], word.partition("=")[2]))
            else:
                titles.append(word)
        title = titles[0] if titles else ""
        identifiers = {value for name, value in options if name in ("--id", "$menuentry_id_option")}
        self._places.append(self._children)
        self._children = 0
        self._open.append(
            _Open(
                words[0], title, frozenset({title, *identifiers}), any(name == "--unrestricted" for name, _v in options)
            )
        )

    def _end(self) -> None:
        if not self._open:
            return
        block = self._open.pop()
        if block.kind not in _ENTRY:
            return
        place = tuple(self._places)
        self._children = self._places.pop() + 1
        if block.kind == "menuentry" and block.kernel:
            above = [outer for outer in self._open if outer.kind in _ENTRY]
            self._menu.entries.append(
                Entry(
                    block.title,
                    place,
                    (*(outer.names for outer in above), block.names),
                    block.unrestricted and all(outer.unrestricted for outer in above),
                    block.kernel,
                    block.initrds,
                    block.arguments,
                )
            )

    def _command(self, words: list[str]) -> None:
        name, rest = words[0], words[1:]
        if self._open:
            self._inside(self._open[-1], name, rest)
        elif name == "set" and rest and "=" in rest[0]:
            variable, _unused, value = rest[0].partition("=")
            self._set(variable, self._value(value))
        elif name in ("password", "password_pbkdf2") and len(rest) == 2:
            self._menu.passwords[rest[0]] = "pbkdf2" if name == "password_pbkdf2" else "plain"

    def _inside(self, block: _Open, name: str, rest: list[str]) -> None:
        if name in _LINUX and rest:
            block.kernel = rest[0]
            block.arguments = " ".join(word for word in rest[1:] if not word.startswith("$"))
        elif name in _INITRD:
            block.initrds = tuple(rest)

    def _set(self, variable: str, value: str) -> None:
        self._menu.variables[variable] = value
        if variable == "superusers":
            self._menu.superusers = [name for name in re.split(r"[\s,;&|]+", value) if name]

    def _value(self, text: str) -> str:
        for _unused in range(_DEPTH):
            after = _VARIABLE.sub(lambda match: self._menu.variables.get(match.group(1) or match.group(2), ""), text)
            if after == text:
                break
            text = after
        return text


def _words(text: str) -> list[str]:
    """Return the words of a line; a line that does not end its quotes has none that matter here."""
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
        lexer.whitespace_split = True
        lexer.commenters = ""
        words = list(lexer)
    except ValueError:
        return []
    # `if [ x ]; then` and `menuentry 'a' {` are as good as each on lines of their own.
    return words[:-1] if len(words) > 1 and words[-1] == "then" else words


def _is(entry: Entry, wanted: str) -> bool:
    steps = wanted.split(">")
    if len(steps) != len(entry.place):
        return False
    levels = zip(steps, entry.place, entry.names)
    return all(step == str(number) or step in names for step, number, names in levels)
