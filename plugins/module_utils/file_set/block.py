# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A marked block of ours in a file of somebody else: every line outside of it stays as it is.

Pure: text in, text out.
"""

from __future__ import annotations

from typing import Callable

BEGIN, END = "# BEGIN Rampart: what stands between these two lines is written anew", "# END Rampart"


def with_block(text: str, content: str, before: Callable[[str], bool] = lambda line: False) -> str:
    """Return the text with the content as its block, or without one when there is no content.

    The block stands at the end, or before the first line of others that `before` names.
    """
    others = outside(text)
    if not content:
        return "".join(others)
    place = next((number for number, line in enumerate(others) if before(line)), len(others))
    if place == len(others) and others and not others[-1].endswith("\n"):
        others[-1] += "\n"
    lines = [BEGIN, *content.rstrip("\n").splitlines(), END]
    return "".join([*others[:place], *(f"{line}\n" for line in lines), *others[place:]])


def outside(text: str) -> list[str]:
    """Return the lines that are not ours, with their line ends; a beginning without an end is a line like any other."""
    lines = text.splitlines(keepends=True)
    marks = [line.strip() for line in lines]
    if BEGIN in marks and END in marks[marks.index(BEGIN) :]:
        first = marks.index(BEGIN)
        del lines[first : marks.index(END, first) + 1]
    return lines
