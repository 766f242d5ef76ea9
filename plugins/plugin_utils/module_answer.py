# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What a module that did not do its work left to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LIMIT = 300


def told_by(answer: Mapping[str, Any]) -> str:
    """Return why in one line: the message, which may say no more than that something is wrong, and what was printed."""
    message = _line(answer.get("msg"))[:_LIMIT]
    printed = _line(answer.get("module_stderr")) or _line(answer.get("module_stdout")) or _line(answer.get("exception"))
    return ": ".join(filter(None, (message, printed[-_LIMIT:]))) or "it gave no reason"


def _line(text: Any) -> str:
    return " ".join(str(text or "").split())
