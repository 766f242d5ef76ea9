# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The answer of `sshd -T` as values, the contexts worth asking for, and where it differs from what was wanted."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.sshd.config import Directive, words

# Comma lists of `sshd -T`.
_COMMA = (
    "kexalgorithms", "ciphers", "macs", "hostkeyalgorithms", "pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes",
    "casignaturealgorithms", "hostbasedacceptedalgorithms",
)  # fmt: skip
# Keywords that `sshd -T` prints once for each value.
_REPEATED = (
    "hostkey", "hostcertificate", "listenaddress", "port", "acceptenv", "setenv", "subsystem",
    "allowusers", "denyusers", "allowgroups", "denygroups", "authenticationmethods",
)  # fmt: skip
# Lists to which every file adds: more than was wanted is as good.
_DENIALS = ("denyusers", "denygroups")
_WORDS = ("authorizedkeysfile", "permitlisten", "permitopen")
OUTSIDE = "198.51.100.1"  # TEST-NET-2 of RFC 5737: nobody's own address, so no Match on an address meets it by chance.


def parse(text: str) -> dict[str, Any]:
    """Return keywords in lower case; comma lists and repeated keywords are lists, decimal numbers are int."""
    result: dict[str, Any] = {}
    for line in text.splitlines():
        keyword, _middle, value = line.strip().partition(" ")
        if not keyword:
            continue
        keyword, value = keyword.lower(), value.strip()
        if keyword in _COMMA:
            result[keyword] = [word for word in value.split(",") if word]
        elif keyword in _WORDS:
            result[keyword] = value.split()
        elif keyword in _REPEATED or keyword in result:
            result.setdefault(keyword, [])
            if not isinstance(result[keyword], list):
                result[keyword] = [result[keyword]]
            result[keyword].append(_number(value))
        else:
            result[keyword] = _number(value)
    return result


def context_argument(ctx: Mapping[str, Any]) -> str:
    """Return the argument of `-C`; every criterion has a value, because sshd refuses a Match on one that is missing."""
    address = str(ctx.get("addr") or OUTSIDE)
    full = {
        "user": ctx.get("user") or "nobody",
        "host": ctx.get("host") or address,
        "addr": address,
        "laddr": ctx.get("laddr") or "198.51.100.2",
        "lport": ctx.get("lport") or 22,
    }
    return ",".join(f"{name}={value}" for name, value in full.items())


def match_contexts(found: Iterable[Directive], members: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Return a context that meets each Match block, as far as one can be made up; `members` has the accounts of
    groups."""
    contexts = []
    for directive in found:
        if directive.keyword != "match":
            continue
        context = _context(words(directive.value), members)
        if context not in contexts:
            contexts.append(context)
    return contexts


def _context(criteria: Sequence[str], members: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    context: dict[str, Any] = {}
    for name, value in zip(criteria[::2], criteria[1::2]):
        literal = _literal(value)
        kind = name.lower()
        if kind == "group":
            context["user"] = next(iter(members.get(literal, ())), "nobody")
        elif kind in ("address", "localaddress"):
            context["addr" if kind == "address" else "laddr"] = _address(literal)
        elif kind in ("user", "host"):
            context[kind] = literal
        elif kind == "localport" and literal.isdigit():
            context["lport"] = int(literal)
    return context


def _literal(value: str) -> str:
    positive = [pattern for pattern in value.split(",") if not pattern.startswith("!")]
    return (positive[0] if positive else "someone").replace("*", "x").replace("?", "x")


def _address(text: str) -> str:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        parts = text.replace("x", "1").split(".")
        return ".".join((parts + ["1"] * 4)[:4])
    return str(network.network_address if network.num_addresses == 1 else network[1])


def differences(effective: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return keywords whose effective value is not the wanted one, as `(found, wanted)`; lists are ordered.

    A scalar is wanted of a list as its words: sshd takes `Port 22` and prints a list of ports.
    """
    result = {}
    for keyword, value in wanted.items():
        found = effective.get(keyword.lower())
        if isinstance(found, list) and not isinstance(value, (list, tuple)):
            value = str(value).split()
        if keyword.lower() in _DENIALS and isinstance(found, list) and set(_plain(value)) <= set(_plain(found)):
            continue
        if _plain(found) != _plain(value):
            result[keyword] = (found, value)
    return result


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(member) for member in value]
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value).lower()
    # sshd -T prints the old name.
    return {"without-password": "prohibit-password"}.get(text, text)


def _number(text: str) -> Any:
    return int(text) if text.isdigit() else text


def key_files(patterns: Sequence[str], user: str, home: str) -> list[str]:
    """Return the paths of AuthorizedKeysFile for an account, `%h`, `%u` and `%%` put in."""
    found = []
    for pattern in patterns:
        if pattern == "none":
            continue
        path = pattern.replace("%%", "\0").replace("%h", home).replace("%u", user).replace("\0", "%")
        found.append(path if path.startswith("/") else "{}/{}".format(home.rstrip("/"), path))
    return sorted(set(found))
