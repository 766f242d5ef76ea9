# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Other scanners on a lab host: OpenSCAP with a data stream that is given by path, and Lynis; both come from Debian.

The data stream is built from ComplianceAsCode's own sources and never part of this project:
`./build_product --datastream --no-ansible-playbooks --no-bash-scripts debian12`.
"""

from __future__ import annotations

import gzip
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ..fleet import BIN

_XCCDF = "{http://checklists.nist.gov/xccdf/1.2}"
_PREFIX = "xccdf_org.ssgproject.content_"
_LIMIT_S = 3600
PROFILES = {"L1": "profile_cis_level1_server", "L2": "profile_cis_level2_server"}


@dataclass(frozen=True)
class Verdict:
    """What OpenSCAP said of each rule of a profile."""

    results: dict[str, str]

    @property
    def failing(self) -> set[str]:
        """Rules that fail or could not be decided."""
        return {rule for rule, result in self.results.items() if result in ("fail", "error", "unknown")}

    def rate(self, without: Collection[str] = ()) -> float:
        """The share of the applicable rules that pass, in percent; failures of those in `without` do not count."""
        passing = sum(result == "pass" for result in self.results.values())
        return 100 * passing / max(1, passing + len(self.failing.difference(without)))


def on_host(lab: str, host: str, script: str, stdin: bytes = b"") -> bytes:
    """Run a script as root on a lab host and return what it printed."""
    command = [BIN / "rampart", "lab", "exec", "--name", lab, host, "--", "sh", "-euc", script]
    return subprocess.run(command, input=stdin, check=True, capture_output=True, timeout=_LIMIT_S).stdout


def install(lab: str, host: str, data_stream: Path) -> None:
    """Put the scanners and the data stream on a host.

    The data stream asks most of its rules only of a host that has the package `linux-base`, which comes with a kernel.
    """
    on_host(
        lab, host,
        "apt-get update -qq >&2; DEBIAN_FRONTEND=noninteractive "
        "apt-get install -y -qq --no-install-recommends lynis openscap-scanner linux-base >&2",
    )  # fmt: skip
    content = gzip.compress(data_stream.read_bytes())
    on_host(lab, host, "mkdir -p -m 0700 /root/scan; gunzip > /root/scan/ds.xml", content)


def openscap(lab: str, host: str, level: str) -> Verdict:
    """Evaluate a level of the benchmark for servers."""
    profile = _PREFIX + PROFILES[level]
    # It ends with 2 when a rule fails.
    script = (
        f"cd /root/scan; oscap xccdf eval --profile {profile} --results r.xml ds.xml > log 2>&1 || test $? = 2; "
        "gzip -c r.xml"
    )
    return parse(gzip.decompress(on_host(lab, host, script)))


def parse(document: bytes) -> Verdict:
    """Read results of XCCDF 1.2."""
    root = ElementTree.fromstring(document)
    found = {}
    for result in root.iter(f"{_XCCDF}rule-result"):
        name = str(result.get("idref")).removeprefix(f"{_PREFIX}rule_")
        found[name] = result.findtext(f"{_XCCDF}result") or "unknown"
    return Verdict(found)


def lynis(lab: str, host: str) -> dict[str, list[str]]:
    """Audit with Lynis: its report, each key with its values (`hardening_index`, `warning[]`, `suggestion[]`, ...)."""
    script = "lynis audit system --quick --no-colors --cronjob > /dev/null 2>&1 || true; cat /var/log/lynis-report.dat"
    return parse_report(on_host(lab, host, script).decode("utf-8", "replace"))


def parse_report(text: str) -> dict[str, list[str]]:
    """Read a report of Lynis."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found
