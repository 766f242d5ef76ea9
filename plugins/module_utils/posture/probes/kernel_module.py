# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Kernel modules: in the kernel now, or able to come in, under whatever name they are asked for."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

# Names that guides use for file systems whose module is called otherwise; modprobe knows no alias for them.
_ALSO = {"overlayfs": "overlay", "vxfs": "freevxfs", "cdrom_udf": "udf"}
_DEPENDS = re.compile(r"\s*(insmod|install|builtin) \S|\s*$")
# What people put after `install NAME` to keep a module out.
_REFUSAL = re.compile(r"install\s+(/usr)?/bin/(false|true)\b")


@dataclass(frozen=True)
class _Config:
    """The effective configuration of modprobe, all folders merged: what is blacklisted, and (pattern, module) of the
    aliases, those that modules bring along included."""

    blacklist: frozenset[str]
    aliases: tuple[tuple[str, str], ...]


@probe("kernel_module", required=("name",), source="/proc/modules; modprobe --showconfig, --show-depends {name}")
def kernel_module(host: Host, params: Params) -> dict[str, Any]:
    """Return {loaded, builtin, available, loadable, blacklisted, names}.

    `names` are the modules that the name stands for, aliases resolved, with underscores. `loaded`: in the kernel as a
    module now. `builtin`: part of the kernel image. `available`: there is a file of it for the running kernel.
    `loadable`: a request by name would bring it in (or it is in already): no `install /bin/false` stands in the way and
    module loading is not disabled. `blacklisted`: not brought in by the aliases of hardware or file systems; a request
    by name still would.
    """
    config = host.once("modprobe --showconfig", lambda: _config(host))
    names = _names(config, str(params["name"]))
    lines = [line for name in sorted(names) for line in _depends(host, name)]
    names |= {_plain(line.split()[1]) for line in lines if line.startswith("builtin ")}
    loaded = bool(names & _loaded(host))
    builtin = not loaded and _is_builtin(host, names, lines)
    refused = any(_REFUSAL.match(line) for line in lines)
    brought = any(line.startswith(("insmod ", "install ")) for line in lines) and not refused
    locked = _word(host, "/proc/sys/kernel/modules_disabled") == "1"
    return {
        "loaded": loaded,
        "builtin": builtin,
        "available": loaded or builtin or any(line.startswith(("insmod ", "install ")) for line in lines),
        "loadable": loaded or builtin or (brought and not locked),
        "blacklisted": names <= config.blacklist,
        "names": sorted(names),
    }


def _names(config: _Config, asked: str) -> set[str]:
    plain = _plain(asked)
    names = {plain, _ALSO.get(plain, plain)}
    called = (*names, f"fs_{plain}")
    return names | {
        module for pattern, module in config.aliases if any(fnmatch.fnmatchcase(name, pattern) for name in called)
    }


def _plain(name: str) -> str:
    return name.strip().replace("-", "_")


def _depends(host: Host, name: str) -> list[str]:
    """Return what modprobe would do; it ends with 1 and prints nothing for a name that no module has."""
    answer = host.run(["modprobe", "--dry-run", "--show-depends", name])
    lines = [line.strip() for line in answer.stdout.splitlines()]
    strange = [line for line in lines if not _DEPENDS.match(line)]
    if strange or (answer.rc != 0 and "not found" not in answer.stderr):
        said = strange[0] if strange else f"status {answer.rc}: {answer.stderr.strip() or 'no output'}"
        raise ProbeError(f"'modprobe --dry-run --show-depends {name}' cannot be understood: {said[:120]}")
    return lines


def _loaded(host: Host) -> set[str]:
    try:
        return {line.split()[0] for line in host.read_text("/proc/modules").splitlines() if line.strip()}
    except Absent:
        # A kernel built without loadable modules has no such file.
        return set()


def _is_builtin(host: Host, names: set[str], lines: list[str]) -> bool:
    if any(line.startswith("builtin ") for line in lines):
        return True
    if names & {line.split()[-1] for line in _lines(host, "/proc/filesystems")}:
        return True
    return any(host.exists(f"/sys/module/{name}") for name in names)


def _lines(host: Host, path: str) -> list[str]:
    try:
        return [line for line in host.read_text(path).splitlines() if line.strip()]
    except Absent:
        return []


def _word(host: Host, path: str) -> str:
    return "".join(_lines(host, path)).strip()


def _config(host: Host) -> _Config:
    blacklist, aliases = set(), []
    for line in host.run(["modprobe", "--showconfig"]).require_ok().stdout.splitlines():
        words = line.split()
        if words[:1] == ["blacklist"] and len(words) == 2:
            blacklist.add(_plain(words[1]))
        # Nobody asks for a module by what has a colon: those are devices and symbols, tens of thousands of them.
        elif words[:1] == ["alias"] and len(words) == 3 and ":" not in words[1]:
            aliases.append((_plain(words[1]), _plain(words[2])))
    return _Config(frozenset(blacklist), tuple(aliases))
