# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A check on ruleset text before nft sees it: one table and nothing beside it, so that no other tool's table can be
meant."""

from __future__ import annotations

import re

_TOKENS = re.compile(r'"[^"]*"|#[^\n]*|[{}]|[^\s{}"#]+|"')


class TextError(ValueError):
    """The text holds more or less than the one table; the message says what was found."""


def only_table(text: str, family: str, name: str) -> None:
    """Raise TextError unless the text is exactly `table FAMILY NAME { ... }`, comments aside."""
    tokens = [token for token in _TOKENS.findall(text) if not token.startswith("#")]
    wanted = ["table", family, name, "{"]
    if tokens[:4] != wanted:
        found = " ".join(tokens[:4]) or "nothing"
        raise TextError("the ruleset begins with '{}'; wanted '{}'".format(found, " ".join(wanted)))
    depth = 0
    for position, token in enumerate(tokens):
        depth += {"{": 1, "}": -1}.get(token, 0)
        if depth == 0 and position > 3:
            rest = " ".join(tokens[position + 1 : position + 4])
            if rest:
                raise TextError(
                    f"the ruleset goes on after the table with '{rest}'; only "
                    f"table {family} {name} may be given, other tables have other owners"
                )
            return
    raise TextError("the table's brace is not closed")
