# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What tools say of a GPU, as typed values: a number, a switch, a word, or the reason why there is none.

A value that is not there is never 0 and never False: "N/A" of a driver reads as no errors to whoever compares numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Callable, TypeVar, Union

T = TypeVar("T")


class ParseError(ValueError):
    """The text is not what the tool prints; the message says what was read, where it stopped making sense, and why."""


@dataclass(frozen=True)
class Unavailable:
    """Why there is no value.

    `reason`: not_supported (the tool says N/A), mig (N/A because the GPU is divided), deprecated, not_reported (this
    version of the tool does not have the field), idle (only a GPU under load tells), error (the driver could not ask
    the GPU) or not_understood. `text` is what the tool said.
    """

    reason: str
    text: str = ""

    @property
    def is_fault(self) -> bool:
        """Say whether there should have been a value."""
        return self.reason in ("error", "not_understood")

    def __str__(self) -> str:
        return f"{self.reason} ({self.text})" if self.text else self.reason


Kind = Callable[[str], Any]
# A dataclass field, as told() declared it, to its text.
Lookup = Callable[[Any], Union[str, None]]

_NOTHING = {"N/A": "not_supported", "Not Supported": "not_supported", "Not Available": "not_supported"}
_SWITCH = {
    **dict.fromkeys(("Enabled", "Yes", "Active", "On", "ON", "true", "True"), True),
    **dict.fromkeys(("Disabled", "No", "Not Active", "Off", "OFF", "false", "False"), False),
}
_NUMBER = re.compile(r"([+-]?[0-9]{1,18}(?:\.[0-9]{1,9})?)(?:\s*(\S.*))?")
_DEPRECATED = "Requested functionality has been deprecated"
_FAULTS = ("Unknown Error", "GPU is lost", "GPU requires reset", "Insufficient Permissions", "ERR!")
_SHOWN_CHARS = 80


def unavailable(text: str) -> Unavailable | None:
    """Return why a text is no value; None when it is one."""
    bare = text.strip().strip("[]").strip()
    if bare in _NOTHING:
        return Unavailable(_NOTHING[bare], text.strip())
    if bare == _DEPRECATED:
        return Unavailable("deprecated", text.strip())
    if bare.startswith(_FAULTS):
        return Unavailable("error", text.strip()[:_SHOWN_CHARS])
    return None


def read(text: str | None, kind: Kind) -> Any:
    """Return the value of a text by its kind, or why there is none."""
    if text is None:
        return Unavailable("not_reported")
    missing = unavailable(text)
    if missing is not None:
        return missing
    try:
        return kind(text.strip())
    except ValueError:
        return Unavailable("not_understood", text.strip()[:_SHOWN_CHARS])


def word(text: str) -> str:
    """Return a text that is not empty."""
    if not text:
        raise ValueError("nothing is said")
    return text


def switch(text: str) -> bool:
    """Return True for Enabled, Yes or Active, and False for their opposites."""
    if text not in _SWITCH:
        raise ValueError(f"{text!r} is neither on nor off")
    return _SWITCH[text]


def count(text: str) -> int:
    """Return a whole number without a unit."""
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError(f"{text!r} is no count")
    return int(text)


def link_lanes(text: str) -> int:
    """Return the lanes of a PCIe link, which are written 16x in one format and 16 in the other."""
    return count(text[:-1] if text.endswith("x") else text)


def whole(unit: str) -> Kind:
    """Return the kind of whole numbers in a unit; one without a unit is in it: tools may leave it out."""

    def kind(text: str) -> int:
        number = _in_unit(text, unit)
        if not number.is_integer():
            raise ValueError(f"{text!r} is no whole number")
        return int(number)

    return kind


def decimal(unit: str) -> Kind:
    """Return the kind of numbers in a unit that may have decimals."""
    return lambda text: _in_unit(text, unit)


def _in_unit(text: str, unit: str) -> float:
    match = _NUMBER.fullmatch(text)
    if match is None or match.group(2) not in (None, unit):
        raise ValueError(f"{text!r} is no number in {unit}")
    return float(match.group(1))


def told(kind: Kind, *, xml: tuple[str, ...] = (), csv: tuple[str, ...] = (), mig_hides: bool = False) -> Any:
    """Declare a field of facts: what kind of value it has, and what it is called in each format, newest name first.

    `mig_hides` says that a divided GPU does not tell it.
    """
    metadata = {"kind": kind, "xml": xml, "csv": csv, "mig_hides": mig_hides}
    return field(metadata=metadata)  # pylint: disable=invalid-field-call


def build(facts: type[T], lookup: Lookup, **more: Any) -> T:
    """Return facts of a dataclass: its declared fields as `lookup` finds them, its parts likewise, and `more`."""
    values = dict(more)
    for each in fields(facts):  # type: ignore[arg-type]
        if each.name in values:
            continue
        if "part" in each.metadata:
            values[each.name] = build(each.metadata["part"], lookup)
        elif "kind" in each.metadata:
            values[each.name] = read(lookup(each), each.metadata["kind"])
    return facts(**values)


def part(facts: type[Any]) -> Any:
    """Declare a field that holds facts of another dataclass."""
    return field(metadata={"part": facts})  # pylint: disable=invalid-field-call


def plain(value: Any) -> Any:
    """Return facts as JSON has them; a value that is not there is {unavailable: reason, text}."""
    if isinstance(value, Unavailable):
        return {"unavailable": value.reason, "text": value.text}
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


def first_missing(*values: Any) -> Unavailable | None:
    """Return the first of several values that is not there: what is computed of them is not there for its reason."""
    return next((value for value in values if isinstance(value, Unavailable)), None)
