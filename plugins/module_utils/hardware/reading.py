# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Small readings of sysfs that several files here share: a word, a number, or None where there is none."""

from __future__ import annotations

import re

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host

_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")


def word(host: Host, path: str) -> str:
    """Return the text of an attribute; empty when it does not exist, or the driver refuses to answer just now."""
    try:
        return host.read_text(path).strip()
    except (Absent, ProbeError):
        return ""


def number(host: Host, path: str) -> int | None:
    """Return an attribute that is a whole number; None when it is none, or not there."""
    text = word(host, path)
    return int(text) if re.fullmatch(r"-?[0-9]{1,20}", text) else None


def counter(host: Host, path: str) -> int:
    """Return an attribute that counts; ProbeError when it is no number, because zero would be a guess."""
    text = host.read_text(path).strip()
    if not re.fullmatch(r"[0-9]{1,20}", text):
        raise ProbeError(f"{path} says {text[:40]!r}, wanted a number")
    return int(text)


def names(host: Host, folder: str) -> list[str]:
    """Return the names in a folder; none when it does not exist."""
    try:
        return host.listdir(folder)
    except Absent:
        return []


def link_name(host: Host, path: str) -> str:
    """Return the last part of what a link names; empty when there is no link."""
    try:
        return host.readlink(path).rstrip("/").rpartition("/")[2]
    except (Absent, ProbeError):
        return ""


def addresses_in(path: str) -> list[str]:
    """Return the PCI addresses along a path of sysfs, from the root port to the device."""
    return [part for part in path.split("/") if _ADDRESS.fullmatch(part)]
