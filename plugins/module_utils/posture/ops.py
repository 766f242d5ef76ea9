# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The closed set of operators that a control may use. Pure: two values in, true or false out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Callable

from ansible_collections.rampart.fleet.plugins.module_utils.posture.versions import at_least

Operator = Callable[[Any, Any], bool]


class OperatorError(Exception):
    """The operator cannot be applied to what was observed; the message says why."""


def same(observed: Any, wanted: Any) -> bool:
    """Compare JSON values; unlike Python, true is not 1 and false is not 0, at any depth."""
    if isinstance(observed, bool) or isinstance(wanted, bool):
        return isinstance(observed, bool) and isinstance(wanted, bool) and observed == wanted
    if isinstance(observed, list) and isinstance(wanted, list):
        return len(observed) == len(wanted) and all(same(a, b) for a, b in zip(observed, wanted))
    if isinstance(observed, Mapping) and isinstance(wanted, Mapping):
        return observed.keys() == wanted.keys() and all(same(observed[key], wanted[key]) for key in observed)
    return bool(observed == wanted)


def _among(observed: Any, wanted: Any) -> bool:
    return any(same(observed, one) for one in _list(wanted, "the value of the control"))


def _subset(observed: Any, wanted: Any) -> bool:
    return all(_among(one, wanted) for one in _list(observed))


def _superset(observed: Any, wanted: Any) -> bool:
    return all(_among(one, _list(observed)) for one in _list(wanted, "the value of the control"))


def _contains(observed: Any, wanted: Any) -> bool:
    if isinstance(observed, str):
        return str(wanted) in observed
    if isinstance(observed, Mapping):
        return wanted in observed
    return _among(wanted, _list(observed))


def _regex(observed: Any, wanted: Any) -> bool:
    if isinstance(observed, (list, Mapping)) or observed is None:
        raise OperatorError(f"a pattern needs text, found {type(observed).__name__}")
    return re.fullmatch(str(wanted), str(observed), re.DOTALL) is not None


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise OperatorError(f"wanted a number, found {value!r}")
    try:
        return float(value)
    except ValueError:
        raise OperatorError(f"wanted a number, found {value!r}") from None


def _version(observed: Any, wanted: Any) -> bool:
    try:
        return at_least(str(observed), str(wanted))
    except ValueError:
        raise OperatorError(f"wanted a package version, found {observed!r}") from None


def _mode(observed: Any, wanted: Any) -> bool:
    try:
        return int(str(observed), 8) & ~int(str(wanted), 8) == 0
    except ValueError:
        raise OperatorError(f"wanted an octal mode such as 0640, found {observed!r}") from None


def _is_empty(observed: Any) -> bool:
    if observed is None:
        return True
    if not isinstance(observed, (str, list, Mapping)):
        raise OperatorError(f"only text, lists and mappings can be empty, found {observed!r}")
    return len(observed) == 0


def _list(value: Any, what: str = "the observation") -> list[Any]:
    if not isinstance(value, list):
        raise OperatorError(f"{what} is no list but {value!r}")
    return value


def operators() -> dict[str, Operator]:
    """Return the operators on values; `absent` and `present` look at observations and are not among them.

    Each raises OperatorError when the observed value is not of a kind that it can judge.
    """
    return {
        "eq": same,
        "ne": lambda observed, wanted: not same(observed, wanted),
        "in": _among,
        "not_in": lambda observed, wanted: not _among(observed, wanted),
        "subset": _subset,
        "superset": _superset,
        "contains": _contains,
        "not_contains": lambda observed, wanted: not _contains(observed, wanted),
        "regex_full": _regex,
        "not_regex_full": lambda observed, wanted: not _regex(observed, wanted),
        "ge": lambda observed, wanted: _number(observed) >= _number(wanted),
        "le": lambda observed, wanted: _number(observed) <= _number(wanted),
        "version_ge": _version,
        "mode_at_most": _mode,
        "empty": lambda observed, wanted: _is_empty(observed),
        "not_empty": lambda observed, wanted: not _is_empty(observed),
    }


def operator_names() -> frozenset[str]:
    """Return every word that `op` of a condition may be."""
    return frozenset(operators()) | {"absent", "present"}
