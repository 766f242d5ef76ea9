# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Kernel modules: in the kernel now, or able to come in, under whatever name they are asked for."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import CommandResult, Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

# Names that guides use for file systems whose module is called otherwise; modprobe knows no alias for them.
_ALSO = {"overlayfs": "overlay", "vxfs": "freevxfs", "cdrom_udf": "udf"}
# What people put after `install NAME` to keep a module out.
_LINES = {
    "--show-depends": re.compile(r"\s*(insmod|install|builtin) \S|\s*$"),
    "--resolve-alias": re.compile(r"\s*[A-Za-z0-9_-]*\s*$"),
}
_REFUSAL = re.compile(r"install\s+(/usr)?/bin/(false|true)\b")


@probe("kernel_module", required=("name",), source="/proc/modules; modprobe --resolve-alias, --show-depends {name}")
def kernel_module(host: Host, params: Params) -> dict[str, Any]:
    """Return {loaded, builtin, available, loadable, blacklisted, names}.

    `names` are the modules that the name stands for, aliases resolved, with underscores. `loaded`: in the kernel as a
    module now. `builtin`: part of the kernel image. `available`: there is a file of it for the running kernel.
    `loadable`: a request by name would bring it in (or it is in already): no `install /bin/false` stands in the way and
    module loading is not disabled. `blacklisted`: not brought in by the aliases of hardware or file systems; a request
    by name still would.
    """
    names = _names(host, str(params["name"]))
    depends = [_modprobe(host, "--show-depends", name).stdout for name in sorted(names)]
    lines = [line.strip() for text in depends for line in text.splitlines()]
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
        "blacklisted": names <= _blacklist(host),
        "names": sorted(names),
    }


def _names(host: Host, asked: str) -> set[str]:
    plain = _plain(asked)
    names = {plain, _ALSO.get(plain, plain)}
    for name in (*sorted(names), f"fs-{asked}"):
        names.update(_plain(line.strip()) for line in _modprobe(host, "--resolve-alias", name).stdout.splitlines())
    return names - {""}


def _plain(name: str) -> str:
    return name.strip().replace("-", "_")


def _modprobe(host: Host, option: str, name: str) -> CommandResult:
    """Ask modprobe; it ends with 1 and prints nothing for a name that no module has."""
    answer = host.run(["modprobe", "--dry-run", option, name])
    strange = [line for line in answer.stdout.splitlines() if not _LINES[option].match(line)]
    if strange or (answer.rc != 0 and "not found" not in answer.stderr):
        said = strange[0] if strange else f"status {answer.rc}: {answer.stderr.strip() or 'no output'}"
        raise ProbeError(f"'modprobe --dry-run {option} {name}' cannot be understood: {said[:120]}")
    return answer


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


def _blacklist(host: Host) -> set[str]:
    """Return what the effective configuration of modprobe, all folders merged, blacklists."""

    def ask() -> set[str]:
        lines = host.run(["modprobe", "--showconfig"]).require_ok().stdout.splitlines()
        return {_plain(line.split()[1]) for line in lines if line.startswith("blacklist ")}

    return host.once("kernel_module: blacklist", ask)
