#!/usr/bin/env python3
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Unpack the collections that galaxy.yml depends on, and theirs, from the pinned PyPI `ansible` wheel into .deps/.

No Galaxy server is asked. Nothing is downloaded when galaxy.yml names no dependency, or when .deps/ has them all.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import yaml
from packaging.specifiers import SpecifierSet
from packaging.version import Version

#: The `ansible` release that carries the collections, by the first Python that it wants.
ANSIBLE = {(3, 11): "12.3.0", (3, 12): "14.5.0"}


class CollectionError(Exception):
    """A dependency cannot be had; the message names it."""


def wanted(galaxy: Path) -> dict[str, str]:
    """Name and version range of each direct dependency."""
    return dict(yaml.safe_load(galaxy.read_text(encoding="utf-8")).get("dependencies") or {})


def check_range(name: str, found: str, allowed: str) -> None:
    """Raise CollectionError when version `found` is outside galaxy.yml's range."""
    specifiers = SpecifierSet("" if allowed == "*" else allowed)
    if Version(found) not in specifiers:
        raise CollectionError(f"{name} is {found} in the ansible wheel, galaxy.yml wants {allowed}: change either")


def manifest(home: Path, name: str) -> dict[str, object] | None:
    """`collection_info` of an unpacked collection, None when it is not there."""
    path = home / "ansible_collections" / name.replace(".", "/") / "MANIFEST.json"
    if not path.is_file():
        return None
    info: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))["collection_info"]
    return info


def missing(home: Path, names: dict[str, str]) -> list[str]:
    """Dependencies, transitive ones included, that are not unpacked; those that are get their range checked."""
    absent, seen, todo = [], set(), dict(names)
    while todo:
        name, allowed = todo.popitem()
        if name in seen:
            continue
        seen.add(name)
        info = manifest(home, name)
        if info is None:
            absent.append(name)
            continue
        check_range(name, str(info["version"]), allowed)
        todo.update(info.get("dependencies") or {})  # type: ignore[call-overload]
    return sorted(absent)


def unpack(wheel: Path, home: Path, names: dict[str, str]) -> list[str]:
    """Unpack `names` and what they need from the wheel; returns 'name version' lines. Tests are left out."""
    done: list[str] = []
    with zipfile.ZipFile(wheel) as archive:
        index = archive.namelist()
        while absent := missing(home, names):
            for name in absent:
                prefix = f"ansible_collections/{name.replace('.', '/')}/"
                members = [each for each in index if each.startswith(prefix) and not each.startswith(f"{prefix}tests/")]
                if f"{prefix}MANIFEST.json" not in members:
                    raise CollectionError(f"{name} is not in {wheel.name}: remove the dependency or pin another wheel")
                archive.extractall(home, members)
                info = manifest(home, name) or {}
                done.append(f"{name} {info.get('version')}")
    return done


def release_for(python: tuple[int, int]) -> str:
    """The `ansible` release for a Python version."""
    return next(version for since, version in sorted(ANSIBLE.items(), reverse=True) if python >= since)


def download(folder: Path, version: str) -> Path:
    """Fetch the wheel through pip, from whatever index pip is configured with."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*pip, "--dest", str(folder), f"ansible=={version}"], check=True)
    return next(folder.glob("ansible-*.whl"))


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 when every dependency is in place, 2 otherwise."""
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--galaxy", type=Path, default=root / "galaxy.yml")
    parser.add_argument("--dest", type=Path, default=root / ".deps")
    parser.add_argument("--wheel", type=Path, help="an ansible wheel on disk, instead of a download")
    options = parser.parse_args(argv)
    names = wanted(options.galaxy)
    try:
        if not missing(options.dest, names):
            return 0
        with tempfile.TemporaryDirectory() as folder:
            wheel = options.wheel or download(Path(folder), release_for(sys.version_info[:2]))
            for line in unpack(wheel, options.dest, names):
                print(f"collections: {line}")
    except (CollectionError, subprocess.CalledProcessError) as error:
        print(f"collections: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
