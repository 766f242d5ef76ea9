# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What a control expects, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.conditions import label_of

_UNARY = {"absent": "is absent", "present": "is present", "empty": "is empty", "not_empty": "is not empty"}


def words_of(expect: Mapping[str, Any], nested: bool = False) -> str:
    """Return a tree of conditions as a sentence without end."""
    for key, joint in (("all", " and "), ("any", " or ")):
        if key in expect:
            text = joint.join(words_of(member, nested=True) for member in expect[key])
            return f"({text})" if nested and len(expect[key]) > 1 else text
    return _condition(expect)


def _condition(condition: Mapping[str, Any]) -> str:
    operator = condition["op"]
    subject = ("each of " if condition.get("each") else "") + label_of(condition)
    if operator in _UNARY:
        return f"{subject} {_UNARY[operator]}"
    return f"{subject} {_sign(operator)} {_value(condition.get('value'))}"


def _sign(operator: str) -> str:
    signs = {
        "eq": "=",
        "ne": "is not",
        "ge": ">=",
        "le": "<=",
        "in": "is one of",
        "not_in": "is none of",
        "subset": "has only",
        "superset": "has all of",
        "not_contains": "does not contain",
        "regex_full": "matches",
        "not_regex_full": "does not match",
        "version_ge": "is version",
        "mode_at_most": "has no bit beyond",
    }
    return signs.get(operator, operator)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "[{}]".format(", ".join(_value(item) for item in value))
    return value if isinstance(value, str) and value else json.dumps(value, sort_keys=True)
