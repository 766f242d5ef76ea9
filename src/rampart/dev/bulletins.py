# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Write the floors of NVIDIA's security bulletins anew, from a copy of the vendor's advisories (CSAF).

usage: python -m rampart.dev.bulletins FOLDER --source WHERE [--read DAY] [--output FILE]

FOLDER is a copy of NVIDIA/product-security, or a part of it; WHERE says which (such as its commit). What is known
already stays known: a newer advisory raises a floor, and none lowers it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.gpu import nvidia_bulletins
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.nvidia_bulletins import Floor
from ansible_collections.rampart.fleet.plugins.module_utils.posture.versions import at_least

Floors = dict[str, dict[str, Floor]]

#: A product's name in the advisories, the platforms under which it stands for servers, and what we call it
_PRODUCTS = (
    ("Tesla", re.compile(r"Linux\s*\(?(R[0-9]{3})\)?"), "driver"),
    ("NVIDIA Container Toolkit", re.compile(r"Linux()|All.*()"), "container_toolkit"),
    ("DCGM", re.compile(r"Linux.*()|All.*()"), "dcgm"),
)
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)+")


class AdvisoryError(ValueError):
    """A folder or an advisory that cannot be used; the message says which, and why."""


@dataclass(frozen=True)
class Fix:
    """A version in which an advisory is fixed, of a product and (for drivers) a branch."""

    product: str
    branch: str
    floor: Floor


def read(folder: Path) -> list[Fix]:
    """Every fix that the advisories below a folder name for our products; AdvisoryError when there is none."""
    found = [fix for path in sorted(folder.rglob("*.json")) for fix in fixes(path)]
    if not any(fix.product == "driver" for fix in found):
        raise AdvisoryError(
            f"{folder} has no advisory that names a fixed driver: is it a copy of NVIDIA/product-security?"
        )
    return found


def fixes(path: Path) -> Iterator[Fix]:
    """The fixes of one file; none when it is no advisory, such as the record of a single CVE beside it."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AdvisoryError(f"{path}: {error}") from None
    about = document.get("document") if isinstance(document, Mapping) else None
    if not isinstance(about, Mapping) or about.get("category") != "csaf_security_advisory":
        return
    try:
        tracking = about["tracking"]
        bulletin, day = str(tracking["id"]), date.fromisoformat(str(tracking["initial_release_date"])[:10])
        fixed = {name for flaw in document["vulnerabilities"] for name in flaw["product_status"].get("fixed", ())}
        for platform, product, version, product_id in _versions(document["product_tree"]):
            branch = _branch(product, platform)
            if product_id in fixed and branch and _VERSION.fullmatch(version):
                yield Fix(branch[0], branch[1], Floor(version, bulletin, day.isoformat()))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise AdvisoryError(f"{path}: an advisory in a shape that is not known: {error!r}") from None


def _versions(tree: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Each version of a product tree with its platform: vendor, then architecture, then product_version."""
    for vendor in tree.get("branches", ()):
        for platform in vendor.get("branches", ()):
            for version in platform.get("branches", ()):
                if version.get("category") == "product_version":
                    said = version["product"]
                    yield platform["name"].strip(), version["name"].strip(), said["name"].strip(), said["product_id"]


def _branch(product: str, platform: str) -> tuple[str, str] | None:
    for name, platforms, ours in _PRODUCTS:
        match = platforms.fullmatch(platform) if product == name else None
        if match:
            return ours, match.group(1) or ""
    return None


def merged(known: Mapping[str, Mapping[str, Floor]], found: list[Fix]) -> Floors:
    """What was known, raised by what was found; the newest bulletin that says the same is named."""
    floors = {product: dict(branches) for product, branches in known.items()}
    for fix in sorted(found, key=lambda fix: (fix.floor.date, fix.floor.bulletin)):
        before = floors.setdefault(fix.product, {}).get(fix.branch)
        if before is None or at_least(fix.floor.fixed, before.fixed):
            floors[fix.product][fix.branch] = fix.floor
    return floors


def rendered(floors: Floors, source: str, day: date, template: str) -> str:
    """The module with other data; what stands above its data stays as it is."""
    head = template.partition("\nSOURCE = ")[0]
    lines = [f"\nSOURCE = {json.dumps(source)}", f"READ = {json.dumps(day.isoformat())}"]
    lines.append("FLOORS: dict[str, dict[str, Floor]] = {")
    for product, branches in sorted(floors.items()):
        lines.append(f"    {json.dumps(product)}: {{")
        for branch, floor in sorted(branches.items()):
            lines.append(f"        {json.dumps(branch)}: Floor({', '.join(json.dumps(part) for part in floor)}),")
        lines.append("    },")
    return head + "\n".join([*lines, "}", ""])


def main(argv: list[str] | None = None) -> int:
    """Read, merge and write; 0 when written, 2 when the folder cannot be used."""
    ours = Path(nvidia_bulletins.__file__)
    parser = argparse.ArgumentParser(prog="python -m rampart.dev.bulletins", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", required=True, help="what FOLDER is a copy of, such as its commit")
    parser.add_argument("--read", type=date.fromisoformat, default=date.today(), help="day of the copy (today)")
    parser.add_argument("--output", type=Path, default=ours)
    chosen = parser.parse_args(argv)
    try:
        found = read(chosen.folder)
    except AdvisoryError as error:
        print(f"bulletins: {error}", file=sys.stderr)
        return 2
    floors = merged(nvidia_bulletins.FLOORS, found)
    text = rendered(floors, chosen.source, chosen.read, ours.read_text(encoding="utf-8"))
    chosen.output.write_text(text, encoding="utf-8")
    for product, branches in sorted(floors.items()):
        for branch, floor in sorted(branches.items()):
            if floor != nvidia_bulletins.FLOORS.get(product, {}).get(branch):
                print(
                    f"{' '.join([product, branch]).strip()}: {floor.fixed} by bulletin {floor.bulletin} of {floor.date}"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
