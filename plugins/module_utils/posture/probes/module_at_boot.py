# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the configuration of modprobe makes of a request for a module, read from the files that every boot reads."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

# In falling precedence (modprobe.d(5), modules-load.d(5)): of files with one name the first counts.
_FOLDERS = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
_REFUSAL = re.compile(r"(/usr)?/bin/(false|true)\b")


@dataclass
class _Config:
    """`install` lines and blacklists as (pattern or name, command, file), and who asks for modules at boot."""

    install: list[tuple[str, str, str]] = field(default_factory=list)
    blacklisted: set[str] = field(default_factory=set)
    requested: dict[str, list[str]] = field(default_factory=dict)


@probe("module_at_boot", required=("name",), source="modprobe.d and modules-load.d in /etc, /run, /usr: {name}")
def module_at_boot(host: Host, params: Params) -> dict[str, Any]:
    """Return {refused, install, file, overridden: [{file, command}], blacklisted, requested_by: [files]}.

    `refused`: a request by name runs /bin/false or /bin/true instead. `install` and `file` are the line that modprobe
    takes, which is the first one; `overridden` are later ones. `requested_by` are files of modules-load.d that ask for
    the module at boot. All of it is null or empty when no file speaks of the module.
    """
    return told(host, str(params["name"]))


@probe("kernel_modules", required=("names",), source="/proc/modules; modules.dep; modprobe.d: {names}")
def kernel_modules(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return [{name, loaded, builtin, available, loadable, refused, requested_by}] without a process for each.

    The names are those of modules and no aliases. `loadable`: there is a file of it and nothing refuses a request, or
    it is in already.
    """
    loaded, files, builtin = host.once("modules of the kernel", lambda: _kernel(host))
    found = []
    for name in params["names"]:
        plain = _plain(str(name))
        boot = told(host, plain)
        inside = plain in loaded or plain in builtin
        found.append(
            {
                "name": plain,
                "loaded": plain in loaded,
                "builtin": plain in builtin,
                "available": inside or plain in files,
                "loadable": inside or (plain in files and not boot["refused"]),
                "refused": boot["refused"],
                "requested_by": boot["requested_by"],
            }
        )
    return found


def told(host: Host, name: str) -> dict[str, Any]:
    """Return what the files say of one module, whichever of dash and underscore it is written with."""
    config = host.once("modprobe.d", lambda: _config(host))
    plain = _plain(name)
    lines = [(command, file) for pattern, command, file in config.install if fnmatch.fnmatchcase(plain, pattern)]
    command, file = lines[0] if lines else (None, None)
    return {
        "refused": command is not None and _REFUSAL.match(command) is not None,
        "install": command,
        "file": file,
        "overridden": [{"file": other, "command": text} for text, other in lines[1:]],
        "blacklisted": plain in config.blacklisted,
        "requested_by": config.requested.get(plain, []),
    }


def _config(host: Host) -> _Config:
    config = _Config()
    for file, words in _lines(host, "modprobe.d"):
        if words[0] == "install" and len(words) == 3:
            config.install.append((_plain(words[1]), words[2].strip(), file))
        elif words[0] == "blacklist" and len(words) > 1:
            config.blacklisted.add(_plain(words[1]))
    for file, words in _lines(host, "modules-load.d"):
        config.requested.setdefault(_plain(words[0]), []).append(file)
    return config


def _lines(host: Host, folder: str) -> Iterator[tuple[str, list[str]]]:
    """Yield (file, three parts of a line at most) of every file that counts, in the order of the names of the files."""
    chosen: dict[str, str] = {}
    for base in _FOLDERS:
        for path in host.glob(f"{base}/{folder}/*.conf"):
            chosen.setdefault(posixpath.basename(path), path)
    for name in sorted(chosen):
        for line in _text(host, chosen[name]).replace("\\\n", " ").splitlines():
            words = line.strip().split(None, 2)
            if words and words[0][0] not in "#;":
                yield chosen[name], words


def _text(host: Host, path: str) -> str:
    try:
        return host.read_text(path)
    except Absent:
        # A dangling link hides its namesakes and says nothing.
        return ""


def _kernel(host: Host) -> tuple[set[str], set[str], set[str]]:
    """Return the modules that are loaded, those that there are files of, and those that are part of the kernel."""
    release = host.read_text("/proc/sys/kernel/osrelease").strip()
    folder = f"/lib/modules/{release}"
    loaded = {line.split()[0] for line in _text(host, "/proc/modules").splitlines() if line.strip()}
    # A kernel whose modules cannot be listed is not one without them.
    files = {_of_path(line.partition(":")[0]) for line in host.read_text(f"{folder}/modules.dep").splitlines()}
    builtin = {_of_path(line) for line in _text(host, f"{folder}/modules.builtin").splitlines()}
    return loaded, files, builtin


def _of_path(path: str) -> str:
    return _plain(posixpath.basename(path.strip()).partition(".ko")[0])


def _plain(name: str) -> str:
    return name.strip().replace("-", "_")
