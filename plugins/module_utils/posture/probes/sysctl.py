# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Kernel parameters, as the running kernel has them in /proc/sys."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_KEY = re.compile(r"[A-Za-z0-9_.:/*@-]+")


@probe("sysctl", required=("key",), source="/proc/sys: {key}")
def sysctl(host: Host, params: Params) -> Any:
    """Return an int when the value is one decimal number, else the text with runs of blanks made one space.

    `key` has dots for slashes (`net.ipv4.ip_forward`); as in sysctl(8), a key whose first separator is a slash swaps
    the two, for interface names that hold a dot. Absent when this kernel has no such key.
    """
    path = key_path(str(params["key"]))
    try:
        text = host.read_text(path)
    except Absent:
        raise Absent(f"this kernel has no {path}") from None
    words = " ".join(text.split())
    return int(words) if re.fullmatch(r"-?[0-9]+", words) else words


def key_path(key: str) -> str:
    """Return the file of a sysctl key under /proc/sys; ProbeError for a key that is none."""
    if not _KEY.fullmatch(key) or ".." in key:
        raise ProbeError(f"'{key}' is no sysctl key: wanted words joined by dots, such as kernel.kptr_restrict")
    first = re.search(r"[./]", key)
    if first is not None and first.group() == "/":
        return "/proc/sys/" + key
    return "/proc/sys/" + key.translate({ord("."): "/", ord("/"): "."})
