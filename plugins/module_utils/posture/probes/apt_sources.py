# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Where apt takes packages from, one-line and deb822 files alike, as sources.list(5) reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_MAIN = "/etc/apt/sources.list"
_PARTS = "/etc/apt/sources.list.d"
# Names that apt reads in the folder (sources.list(5)); it says nothing about others.
_NAME = re.compile(r"[A-Za-z0-9_.-]+\.(list|sources)")
_TRUE = ("yes", "true", "with", "on", "enable", "1")
_FALSE = ("no", "false", "without", "off", "disable", "0")
# Options of a source that let through what is not signed, or not well enough.
_LENIENT = ("trusted", "allow-insecure", "allow-weak", "allow-downgrade-to-insecure")
# The name of a disk of a cdrom source stands in brackets and has blanks in it.
_SOURCE = re.compile(r"(deb|deb-src)\s+(?:\[([^]]*)\]\s*)?(cdrom:\[[^]]*\]\S*|[^\s\[]\S*)\s+(\S+)((?:\s+\S+)*)")
_LOCAL = ("file", "copy", "cdrom")
_DEBIAN = ("buster", "bullseye", "bookworm", "trixie", "forky", "duke", "sid")
_UBUNTU = ("bionic", "focal", "jammy", "kinetic", "lunar", "mantic", "noble", "oracular", "plucky", "questing")
_RELEASES = (*_DEBIAN, *_UBUNTU)
_MOVING = ("oldstable", "stable", "testing", "unstable", "experimental")


@probe("apt_sources", source="/etc/apt/sources.list, /etc/apt/sources.list.d/*")
def apt_sources(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return a list of {file, type, uri, host, suite, release, components, signed_by, lenient, check_valid_until}.

    Only sources that are switched on. `host` is `local` for file, copy and cdrom. `release` is the suite without what
    follows a dash or slash (`bookworm` of `bookworm-security`), null for a flat repository. `signed_by` names the keys,
    null when any trusted key will do. `lenient` lists options that let through what nobody signed. Absent without apt.
    """
    if not host.exists("/etc/apt"):
        raise Absent("apt is not installed: there is no /etc/apt")
    found: list[dict[str, Any]] = []
    for path in _files(host):
        text = host.read_text(path)
        entries = _deb822(path, text) if path.endswith(".sources") else _one_line(path, text)
        found += [_describe(path, *entry) for entry in entries]
    return found


@probe("apt_releases", source="/etc/apt/sources.list, /etc/apt/sources.list.d/*; /etc/os-release")
def apt_releases(host: Host, params: Params) -> dict[str, Any]:
    """Return {own, foreign}: the codename of the host, and other releases of Debian and Ubuntu that sources name.

    `stable` and the like are foreign as well: they turn into another release on a day that nobody here chose. Vendors
    use the same words for channels of their own, so that they count on archives of Debian only.
    """
    match = re.search(r"(?m)^VERSION_CODENAME=\W?(\w+)", host.read_text("/etc/os-release"))
    if match is None:
        raise ProbeError("/etc/os-release has no VERSION_CODENAME: what belongs to this release cannot be told")
    own = match.group(1)
    foreign = {
        str(each["release"])
        for each in apt_sources(host, {})
        if each["release"] in _RELEASES or (each["release"] in _MOVING and str(each["host"]).endswith("debian.org"))
    }
    return {"own": own, "foreign": sorted(foreign - {own})}


def _files(host: Host) -> list[str]:
    parts = []
    if host.exists(_PARTS):
        parts = [f"{_PARTS}/{name}" for name in host.listdir(_PARTS) if _NAME.fullmatch(name)]
    return ([_MAIN] if host.exists(_MAIN) else []) + parts


Entry = tuple[str, str, str, list[str], dict[str, str]]


def _one_line(path: str, text: str) -> Iterator[Entry]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].strip()
        if not words:
            continue
        match = _SOURCE.fullmatch(words)
        if match is None:
            raise ProbeError(f"{path} line {number} is no source of apt: {words!r}")
        kind, options, uri, suite, components = match.groups()
        pairs = (word.partition("=") for word in (options or "").split())
        yield kind, uri, suite, components.split(), {key.lower().rstrip("+-"): value for key, _unused, value in pairs}


def _deb822(path: str, text: str) -> Iterator[Entry]:
    for paragraph in re.split(r"\n[ \t]*\n", text):
        fields = _fields(paragraph)
        if not fields or fields.get("enabled", "yes").strip().lower() in _FALSE:
            continue
        if not fields.get("uris", "").split() or not fields.get("suites", "").split():
            raise ProbeError(f"{path} has a paragraph without URIs or Suites: {paragraph.strip()[:200]!r}")
        for kind in fields.get("types", "").split():
            for uri in fields["uris"].split():
                for suite in fields["suites"].split():
                    yield kind, uri, suite, fields.get("components", "").split(), fields


def _fields(paragraph: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in paragraph.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0] in " \t":
            fields[name] = f"{fields.get(name, '')}\n{line.strip()}"
        else:
            name, _unused, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    fields.pop("", None)
    return fields


def _describe(
    path: str, kind: str, uri: str, suite: str, components: list[str], given: dict[str, str]
) -> dict[str, Any]:
    parts = urlsplit(uri)
    return {
        "file": path,
        "type": kind,
        "uri": uri,
        "host": "local" if parts.scheme in _LOCAL else (parts.hostname or uri),
        "suite": suite,
        "release": None if suite.endswith("/") else re.split(r"[-/]", suite)[0],
        "components": components,
        "signed_by": _keys(given.get("signed-by", "")),
        "lenient": [name for name in _LENIENT if given.get(name, "").strip().lower() in _TRUE],
        "check_valid_until": given.get("check-valid-until", "yes").strip().lower() not in _FALSE,
    }


def _keys(text: str) -> list[str] | None:
    if "BEGIN PGP" in text:
        return ["in the source itself"]
    return [key for key in re.split(r"[\s,]+", text) if key] or None
