# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""JSON that a person can open and a program writes quickly."""

from __future__ import annotations

import json
from typing import Any

# One encoder: making one for each of ten thousand members takes longer than their text.
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


def readable(value: Any, depth: int, level: int = 0) -> str:
    """Return JSON with a line for each member down to `depth`, and what is deeper in one line with it.

    The library's own indentation is written in Python and takes ten times as long.
    """
    if depth <= level or not value or not isinstance(value, (dict, list, tuple)):
        return _encode(value)
    if isinstance(value, dict):
        members = [f"{_encode(str(key))}: {readable(one, depth, level + 1)}" for key, one in value.items()]
    else:
        members = [readable(one, depth, level + 1) for one in value]
    blank = " " * (level + 1)
    start, end = "{}" if isinstance(value, dict) else "[]"
    return f"{start}\n{blank}" + f",\n{blank}".join(members) + f"\n{' ' * level}{end}"
