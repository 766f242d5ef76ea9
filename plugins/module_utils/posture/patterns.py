# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Lists of shell patterns: most of their members are plain names or beginnings, which need no regular expression."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from typing import Callable

_MAGIC = re.compile(r"[*?[]")


def any_of(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return what says whether a name matches one of the patterns, as `fnmatch.fnmatchcase` would."""
    names, beginnings, others = set(), [], []
    for pattern in patterns:
        if not _MAGIC.search(pattern):
            names.add(pattern)
        elif not _MAGIC.search(pattern[:-1]) and pattern.endswith("*"):
            beginnings.append(pattern[:-1])
        else:
            others.append(fnmatch.translate(pattern))
    starts = tuple(beginnings)
    expression = re.compile("|".join(others)) if others else None

    def matches(name: str) -> bool:
        return name in names or name.startswith(starts) or (expression is not None and bool(expression.match(name)))

    return matches
