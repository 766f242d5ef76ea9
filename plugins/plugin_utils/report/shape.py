# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Says whether a document follows a JSON Schema, and nothing else: a report of a thousand results is told in
milliseconds. Why a document does not follow it is for the library to say, which takes its time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Check = Callable[[Any], bool]
Json = Mapping[str, Any]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: Mapping[str, Check] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": lambda value: _is_number(value) and float(value).is_integer(),
}
_SAYS_NOTHING = ("$schema", "$defs", "title", "description")


def follows(schema: Json) -> Check:
    """Return what tells whether a document follows `schema`; ValueError for a keyword that it does not know."""
    return _Compiler(schema).check(schema)


class _Compiler:
    """Turns a schema into functions, each definition once."""

    def __init__(self, root: Json) -> None:
        self._root = root
        self._known: dict[str, Check] = {}

    def check(self, schema: Json) -> Check:
        """Return the check of one schema: every keyword has to hold."""
        checks = [self._keyword(name, schema) for name in schema if name not in _SAYS_NOTHING]
        return checks[0] if len(checks) == 1 else lambda value: all(check(value) for check in checks)

    def _keyword(self, name: str, schema: Json) -> Check:
        given = schema[name]
        make = getattr(self, f"_{name.removeprefix('$')}", None)
        if make is None:
            raise ValueError(f"the schema has the keyword {name!r}, which cannot be told quickly")
        check: Check = make(given, schema)
        return check

    def _ref(self, given: str, _schema: Json) -> Check:
        name = given.removeprefix("#/$defs/")
        if name not in self._known:
            self._known[name] = self.check(self._root["$defs"][name])
        return self._known[name]

    def _type(self, given: str | Sequence[str], _schema: Json) -> Check:
        checks = [_TYPES[name] for name in ([given] if isinstance(given, str) else given)]
        return checks[0] if len(checks) == 1 else lambda value: any(check(value) for check in checks)

    def _const(self, given: Any, _schema: Json) -> Check:
        return lambda value: _same(value, given)

    def _enum(self, given: Sequence[Any], _schema: Json) -> Check:
        return lambda value: any(_same(value, one) for one in given)

    def _minimum(self, given: float, _schema: Json) -> Check:
        return lambda value: not _is_number(value) or value >= given

    def _maximum(self, given: float, _schema: Json) -> Check:
        return lambda value: not _is_number(value) or value <= given

    def _minLength(self, given: int, _schema: Json) -> Check:
        return lambda value: not isinstance(value, str) or len(value) >= given

    def _required(self, given: Sequence[str], _schema: Json) -> Check:
        return lambda value: not isinstance(value, dict) or all(name in value for name in given)

    def _items(self, given: Json, _schema: Json) -> Check:
        check = self.check(given)
        return lambda value: not isinstance(value, list) or all(map(check, value))

    def _oneOf(self, given: Sequence[Json], _schema: Json) -> Check:
        checks = [self.check(one) for one in given]
        return lambda value: sum(check(value) for check in checks) == 1

    def _propertyNames(self, given: Json, _schema: Json) -> Check:
        check = self.check(given)
        return lambda value: not isinstance(value, dict) or all(map(check, value))

    def _properties(self, given: Json, _schema: Json) -> Check:
        checks = [(name, self.check(one)) for name, one in given.items()]
        return lambda value: (
            not isinstance(value, dict) or all(check(value[name]) for name, check in checks if name in value)
        )

    def _additionalProperties(self, given: bool | Json, schema: Json) -> Check:
        named = frozenset(schema.get("properties", {}))
        if isinstance(given, bool):
            return lambda value: given or not isinstance(value, dict) or named.issuperset(value)
        check = self.check(given)
        return lambda value: (
            not isinstance(value, dict) or all(check(one) for name, one in value.items() if name not in named)
        )


def _same(value: Any, wanted: Any) -> bool:
    """Compare as JSON does: true is not 1."""
    return bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)
