# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The controls of the roles, loaded, validated and named by a hash; and which of them a host answers to."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.catalogue_cache import load_cached, store_cached

Control = Mapping[str, Any]

# libyaml is ten times faster than the pure loader, and missing only from unusual builds of PyYAML.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class CatalogueError(Exception):
    """Controls that cannot be used; the message lists every problem with its file."""


@dataclass(frozen=True)
class Source:
    """One file of controls and the role it belongs to."""

    role: str
    path: Path


@dataclass(frozen=True)
class Entry:
    """A control and the role that brings it."""

    role: str
    control: Control

    @property
    def area(self) -> str:
        """Return the middle part of the id, such as SSH."""
        return str(self.control["id"]).split("-")[1]


@dataclass(frozen=True)
class Catalogue:
    """Valid controls in the order of their ids; `sha256` names their content."""

    entries: tuple[Entry, ...]
    sha256: str

    def select(self, roles: Sequence[str], ids: Sequence[str] = (), areas: Sequence[str] = ()) -> tuple[Entry, ...]:
        """Return the controls of the roles, narrowed to ids or areas where any are given.

        CatalogueError when a name matches no control, because a check that silently selects nothing looks like a pass.
        """
        chosen = tuple(entry for entry in self.entries if entry.role in roles)
        if not ids and not areas:
            return chosen
        self._require("control", ids, {str(entry.control["id"]) for entry in chosen})
        self._require("area", areas, {entry.area for entry in chosen})
        return tuple(entry for entry in chosen if entry.control["id"] in ids or entry.area in areas)

    def _require(self, what: str, wanted: Iterable[str], known: set[str]) -> None:
        strange = sorted(set(wanted) - known)
        if strange:
            raise CatalogueError(
                f"no {what} {', '.join(strange)} in the host's roles; they have: {', '.join(sorted(known)) or 'none'}"
            )


def sources(root: Path, more: Sequence[Path] = ()) -> list[Source]:
    """Return the files of controls under `root`/roles, and under each further folder, laid out like a roles folder."""
    folders = [root / "roles", *more]
    missing = [str(folder) for folder in more if not folder.is_dir()]
    if missing:
        raise CatalogueError(
            f"posture_catalogue_paths names {', '.join(missing)}, which is no folder on the controller"
        )
    found = (path for folder in folders for path in folder.glob("*/controls/*.yml"))
    return [Source(path.parts[-3], path) for path in sorted(found)]


def load(files: Sequence[Source], cache: Path | None = None) -> Catalogue:
    """Read and validate files of controls; CatalogueError lists all that is wrong.

    A catalogue that was found valid is kept under `cache` by the hash of all that decides about it, because validation
    takes longer than everything else together.
    """
    texts = [(source, _read(source.path)) for source in files]
    digest = _digest(texts)
    pairs = load_cached(cache, digest)
    if pairs is None:
        pairs = _validated(texts)
        store_cached(cache, digest, pairs)
    entries = sorted((Entry(role, control) for role, control in pairs), key=lambda entry: str(entry.control["id"]))
    content = json.dumps([[entry.role, entry.control] for entry in entries], sort_keys=True)
    return Catalogue(tuple(entries), hashlib.sha256(content.encode()).hexdigest())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CatalogueError(f"{path}: cannot be read: {error.strerror}") from error


def _digest(texts: Sequence[tuple[Source, bytes]]) -> str:
    """Return the hash of what decides whether the files are valid: their text, the schema, and the code that judges."""
    here = Path(__file__).parent
    plugins = here.parents[1]
    code = [
        *here.glob("*.py"),
        *(plugins / "module_utils" / "posture").rglob("*.py"),
        *(plugins / "module_utils").glob("workload/*.py"),
    ]
    digest = hashlib.sha256((here / "control.schema.json").read_bytes())
    for path in sorted(code):
        digest.update(path.read_bytes())
    for source, text in texts:
        digest.update(json.dumps([source.role, source.path.name, hashlib.sha256(text).hexdigest()]).encode())
    return digest.hexdigest()


def _validated(texts: Sequence[tuple[Source, bytes]]) -> list[tuple[str, Control]]:
    # Every probe of the collection, and the library of JSON Schema: a catalogue that was found valid needs neither.
    from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.conflict_ids import conflict_ids
    from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.controls import meaning_problems, shape_problems

    problems: list[str] = []
    pairs: list[tuple[str, Control]] = []
    places: dict[str, list[str]] = defaultdict(list)
    conflicts = conflict_ids()
    for source, text in texts:
        document, wrong = _parsed(text)
        wrong = wrong or shape_problems(document)
        if not wrong:
            for control in document:
                pairs.append((source.role, control))
                places[control["id"]].append(str(source.path))
                wrong += meaning_problems(control, conflicts)
        problems += [f"{source.path}: {problem}" for problem in wrong]
    problems += [
        f"control id {name} is used more than once: {', '.join(at)}" for name, at in places.items() if len(at) > 1
    ]
    if problems:
        raise CatalogueError("the controls cannot be used:\n  " + "\n  ".join(problems))
    return pairs


def _parsed(text: bytes) -> tuple[Any, list[str]]:
    try:
        document = yaml.load(text, Loader=_Loader)  # a safe loader
        return json.loads(json.dumps(document)), []
    except (yaml.YAMLError, UnicodeDecodeError, TypeError) as error:
        return None, [f"no YAML that can be used: {' '.join(str(error).split())}"]
