# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Order of Debian package versions, as deb-version(7) defines it."""

from __future__ import annotations

import re

_PIECES = re.compile(r"([^0-9]*)([0-9]*)")


def at_least(version: str, wanted: str) -> bool:
    """Say whether `version` is `wanted` or newer; both as `[epoch:]upstream[-revision]`.

    ValueError for an epoch that is no number.
    """
    return _key(version) >= _key(wanted)


def _key(version: str) -> tuple[int, list[tuple[list[int], int]], list[tuple[list[int], int]]]:
    epoch, colon, rest = version.strip().partition(":")
    if not colon:
        epoch, rest = "0", version.strip()
    upstream, _unused, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return int(epoch), _pieces(upstream), _pieces(revision)


def _pieces(text: str) -> list[tuple[list[int], int]]:
    pairs = [(words, digits) for words, digits in _PIECES.findall(text) if words or digits]
    # The end of a part sorts after a tilde and before everything else, so it is a piece of its own.
    return [(_order(words), int(digits or 0)) for words, digits in pairs] + [([0], 0)]


def _order(words: str) -> list[int]:
    """Return sort weights: tilde before the end, the end before letters, letters before all other characters."""
    return [-1 if char == "~" else ord(char) if char.isalpha() else ord(char) + 256 for char in words] + [0]
