# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Where this machine's own apt gets Debian from, and how it reaches it, turned towards the release that a lab wants."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rampart.lab.errors import LabError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# deb.debian.org is Debian's own front of its mirrors: for machines that are not Debian, or name no Debian source.
_DEFAULT = (("http://deb.debian.org/debian", ""), ("http://deb.debian.org/debian-security", "-security"))
# Which indexes the machine fetches is its own business, and no part of reaching the mirror.
_OWN = ("Changelogs", "IndexTargets", "Languages", "cdrom")
_POCKETS = ("", "-updates", "-security")
_ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)$")


@dataclass(frozen=True)
class Source:
    """One line of a sources.list: `pocket` is what follows the code name (``, `-updates`, `-security`)."""

    uri: str
    pocket: str
    signed_by: str

    def line(self, suite: str) -> str:
        return f"deb [signed-by={self.signed_by}] {self.uri} {suite}{self.pocket} main"


def lines_for(suite: str, root: Path = Path("/")) -> list[str]:
    """The sources.list lines for a Debian suite, derived from the mirror of the machine's own release.

    Raises LabError when the keyring that must verify the suite is not installed.
    """
    if not (root / str(KEYRING).lstrip("/")).exists():
        raise LabError(
            f"{KEYRING} is missing, and it verifies what the lab installs; apt-get install debian-archive-keyring"
        )
    key = KEYRING.with_name(f"debian-archive-{suite}-stable.gpg")
    if not (root / str(key).lstrip("/")).exists():
        raise LabError(
            f"the installed debian-archive-keyring does not know {suite} (no {key}); "
            "upgrade it: apt-get update && apt-get install debian-archive-keyring"
        )
    codename = _codename(root)
    found = dict.fromkeys(source for source in _sources(root, codename))
    if not any(source.pocket == "" for source in found):
        found = dict.fromkeys(Source(uri, pocket, str(KEYRING)) for uri, pocket in _DEFAULT)
    return [source.line(suite) for source in found]


def apt_options() -> str:
    """How this machine's apt reaches its mirror (proxy, certificates, timeouts), as text of an apt.conf file."""
    try:
        dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError) as exc:
        raise LabError(f"apt-config does not run ({exc}); the lab needs a machine with apt: Debian or Ubuntu") from exc
    wanted = [line for line in dump.splitlines() if line.startswith("Acquire::") and line.split("::")[1] not in _OWN]
    return "\n".join((*wanted, 'Acquire::Languages "none";', 'Acquire::Retries "3";')) + "\n"


def _codename(root: Path) -> str:
    for line in (root / "etc/os-release").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition("=")
        if key == "VERSION_CODENAME":
            return value.strip('"')
    return ""


def _sources(root: Path, codename: str) -> Iterator[Source]:
    """The enabled sources of the machine's own release with component main; others (third parties) are left out."""
    folder = root / "etc/apt"
    for path in (folder / "sources.list", *sorted((folder / "sources.list.d").glob("*.list"))):
        if path.exists():
            yield from _one_line(path.read_text(encoding="utf-8"), codename)
    for path in sorted((folder / "sources.list.d").glob("*.sources")):
        yield from _deb822(path.read_text(encoding="utf-8"), codename)


def _one_line(text: str, codename: str) -> Iterator[Source]:
    for line in text.splitlines():
        match = _ONE_LINE.match(line.split("#")[0].strip())
        if match:
            options = dict(item.split("=", 1) for item in (match["options"] or "").split() if "=" in item)
            signed_by = options.get("signed-by", str(KEYRING))
            yield from _select(codename, [match["uri"]], [match["suite"]], match["components"].split(), signed_by)


def _deb822(text: str, codename: str) -> Iterator[Source]:
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        key = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace() and key:
                fields[key] += " " + line.strip()
            elif ":" in line:
                key, value = line.split(":", 1)
                key = key.strip().lower()
                fields[key] = value.strip()
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() != "no":
            signed_by = fields.get("signed-by", str(KEYRING))
            uris, suites, components = (fields.get(name, "").split() for name in ("uris", "suites", "components"))
            yield from _select(codename, uris, suites, components, signed_by)


def _select(
    codename: str, uris: list[str], suites: list[str], components: list[str], signed_by: str
) -> Iterator[Source]:
    if "main" not in components or not codename:
        return
    # An inline key block, or a key that apt alone was given, cannot be handed on: Debian's own keyring can.
    keyring = signed_by if signed_by.startswith("/") else str(KEYRING)
    for uri in uris:
        for suite in suites:
            if suite.startswith(codename) and suite.removeprefix(codename) in _POCKETS:
                yield Source(uri, suite.removeprefix(codename), keyring)
