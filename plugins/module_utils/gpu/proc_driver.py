# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the loaded NVIDIA kernel module says in /proc/driver/nvidia."""

from __future__ import annotations

import re

from ansible_collections.rampart.fleet.plugins.module_utils.gpu.values import ParseError

_VERSION = re.compile(r"^NVRM version:.*?Kernel Module(?: for \S+)?\s+([0-9]+(?:\.[0-9]+){1,2})\s", re.M)
_PARAM = re.compile(r"([A-Za-z][A-Za-z0-9_]*):\s*(.*)")


def parse_version(text: str) -> str:
    """Return the version of the module that runs; ParseError when /proc/driver/nvidia/version does not say."""
    match = _VERSION.search(text)
    if match is None:
        raise ParseError(f"/proc/driver/nvidia/version: {text.strip()[:80]!r} names no version of the kernel module")
    return match.group(1)


def is_open_module(text: str) -> bool:
    """Say whether the module is the vendor's open one."""
    return "Open Kernel Module" in text


def parse_params(text: str) -> dict[str, int | str]:
    """Return the parameters with which the module runs; ParseError at a line that is none."""
    found: dict[str, int | str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        match = _PARAM.fullmatch(line.strip())
        if match is None:
            raise ParseError(f"/proc/driver/nvidia/params: line {number} is {line.strip()[:60]!r}, wanted Name: value")
        value = match.group(2).strip()
        found[match.group(1)] = int(value) if re.fullmatch(r"-?[0-9]{1,18}", value) else value.strip('"')
    return found
