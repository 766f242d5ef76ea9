# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The answer of `nft -j list ...` as tables, chains, rules and sets, and its form without what moves by itself.

Counters, handles and the elements of dynamic sets differ between two listings of the same ruleset and are left out
of comparisons.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_STATEFUL = {"packets", "bytes", "used", "handle", "expires"}
_KINDS = ("table", "chain", "rule", "set", "map", "counter", "quota", "limit", "flowtable", "element")


class NftFormatError(ValueError):
    """The text is not what `nft -j` prints; the message says what was found."""


@dataclass(frozen=True)
class Ruleset:
    """The objects of a listing, each `(kind, body)`, in the kernel's order."""

    objects: tuple[tuple[str, Mapping[str, Any]], ...]

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        """Return the bodies of all objects of a kind (`table`, `chain`, `rule`, `set`, ...)."""
        return [body for found, body in self.objects if found == kind]

    def base_chains(self, hook: str | None = None) -> list[Mapping[str, Any]]:
        """Return the chains that are attached to a hook (to the given one only), by priority."""
        chains = [body for body in self.of("chain") if "hook" in body and hook in (None, body["hook"])]
        return sorted(chains, key=lambda body: int(body.get("prio", 0)))

    def rules_of(self, family: str, table: str, chain: str) -> list[Mapping[str, Any]]:
        """Return the rules of one chain, in order."""
        wanted = (family, table, chain)
        return [rule for rule in self.of("rule") if (rule["family"], rule["table"], rule["chain"]) == wanted]

    def set_named(self, family: str, table: str, name: str) -> Mapping[str, Any] | None:
        """Return a set or map by name, or None."""
        for body in [*self.of("set"), *self.of("map")]:
            if (body["family"], body["table"], body["name"]) == (family, table, name):
                return body
        return None


def parse(text: str) -> Ruleset:
    """Read what `nft -j list ruleset` or `nft -j list table` printed; raises NftFormatError."""
    try:
        members = json.loads(text)["nftables"]
    except (ValueError, KeyError, TypeError) as error:
        raise NftFormatError(f"nft -j printed no nftables document ({error}): {text[:80]!r}") from None
    objects = []
    for member in members:
        for kind, body in member.items():
            if kind in _KINDS:
                objects.append((kind, body))
    return Ruleset(tuple(objects))


def comparable(ruleset: Ruleset) -> list[Any]:
    """Return the ruleset without what moves by itself; two equal results filter packets equally.

    Rules keep their order, all else is sorted, because only the order of rules has a meaning.
    """
    still = [(kind, _still(kind, body)) for kind, body in ruleset.objects if kind != "element"]
    rules = [entry for entry in still if entry[0] == "rule"]
    rest = [entry for entry in still if entry[0] != "rule"]
    ordered = sorted(rest, key=_key) + sorted(rules, key=lambda entry: (entry[1]["table"], entry[1]["chain"]))
    return [list(entry) for entry in ordered]


def lines(ruleset: Ruleset) -> list[str]:
    """Return one line of JSON for each object of the comparable form, for a diff."""
    return [json.dumps({kind: body}, sort_keys=True) for kind, body in comparable(ruleset)]


def _key(entry: tuple[str, Any]) -> str:
    return json.dumps(entry, sort_keys=True)


def _still(kind: str, body: Mapping[str, Any]) -> Any:
    kept = {name: value for name, value in body.items() if name not in _STATEFUL}
    if kind in ("set", "map"):
        if set(_as_list(kept.get("flags"))) & {"dynamic", "timeout"}:
            kept.pop("elem", None)
        elif "elem" in kept:
            kept["elem"] = _sorted(_without_state(kept["elem"]))
        return {name: value if name == "elem" else _without_state(value) for name, value in kept.items()}
    return _without_state(kept)


def _without_state(value: Any) -> Any:
    if isinstance(value, Mapping):
        result = {name: _without_state(member) for name, member in value.items()}
        if "counter" in result and isinstance(result["counter"], Mapping):
            result["counter"] = None
        if "quota" in result and isinstance(result["quota"], Mapping):
            result["quota"] = {name: member for name, member in result["quota"].items() if name != "used"}
        if "set" in result and isinstance(result["set"], list):
            result["set"] = _sorted(result["set"])
        return result
    if isinstance(value, (list, tuple)):
        return [_without_state(member) for member in value]
    return value


def _sorted(members: Iterable[Any]) -> list[Any]:
    return sorted(members, key=lambda member: json.dumps(member, sort_keys=True))


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
