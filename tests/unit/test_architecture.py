# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The import arrows of docs/architecture.md, held against the code: nothing points down, nothing goes in circles."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "ansible_collections.rampart.fleet.plugins"


def module_name(path: Path) -> str:
    """Dotted name under which a file is imported."""
    relative = path.relative_to(ROOT).with_suffix("")
    fleet = ("ansible_collections", "rampart", "fleet")
    parts = relative.parts[1:] if relative.parts[0] == "src" else (*fleet, *relative.parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, name: str) -> Iterator[str]:
    """Dotted names that a file imports; relative ones are resolved, and names imported from packages are included."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            source = ".".join(part for part in (base, node.module or "") if part)
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


FILES = {module_name(path): path for top in ("plugins", "src") for path in sorted((ROOT / top).rglob("*.py"))}
IMPORTS = {name: set(imports(path, name)) for name, path in FILES.items()}

#: Layer: what its modules may import of ours. The order is the picture's: each layer stands on those before it.
LAYERS = {
    f"{COLLECTION}.module_utils": ("module_utils",),
    f"{COLLECTION}.plugin_utils": ("module_utils", "plugin_utils"),
    f"{COLLECTION}.modules": ("module_utils",),
    f"{COLLECTION}.action": ("module_utils", "plugin_utils"),
    f"{COLLECTION}.filter": ("module_utils", "plugin_utils"),
}


def under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_what_stands_below_it(layer: str) -> None:
    allowed = tuple(f"{COLLECTION}.{part}" for part in LAYERS[layer])
    wrong = {
        (name, each)
        for name, used in IMPORTS.items()
        if under(name, layer)
        for each in used
        if under(each, "rampart") or (under(each, COLLECTION) and not any(under(each, part) for part in allowed))
    }
    assert wrong == set()


def test_module_utils_use_only_the_standard_library() -> None:
    wrong = {
        (name, each)
        for name, used in IMPORTS.items()
        if under(name, f"{COLLECTION}.module_utils")
        for each in used
        if not under(each, COLLECTION) and each.partition(".")[0] not in sys.stdlib_module_names
    }
    assert wrong == set()


def test_modules_import_ansible_basics_and_the_standard_library_only() -> None:
    wrong = {
        (name, each)
        for name, used in IMPORTS.items()
        if under(name, f"{COLLECTION}.modules")
        for each in used
        if not under(each, COLLECTION)
        and not under(each, "ansible.module_utils")
        and each.partition(".")[0] not in sys.stdlib_module_names
    }
    assert wrong == set()


def test_the_lab_imports_nothing_of_the_collection_nor_of_the_command() -> None:
    wrong = {
        (name, each)
        for name, used in IMPORTS.items()
        if under(name, "rampart.lab")
        for each in used
        if each.partition(".")[0] in ("ansible", "ansible_collections", "rampart") and not lab_part(each)
    }
    assert wrong == set()


def lab_part(name: str) -> bool:
    return name == "rampart" or under(name, "rampart.lab")


def test_no_module_is_part_of_a_circle() -> None:
    edges = {name: {each for each in used if each in FILES and each != name} for name, used in IMPORTS.items()}
    # A package's __init__ that lists its members is imported by them in name only: Python needs it first.
    for name, used in edges.items():
        used -= {package for package in used if under(name, package)}
    assert circle(edges) is None


def circle(edges: dict[str, set[str]]) -> list[str] | None:
    """One circle of a graph, as the names along it; None when there is none."""
    done: set[str] = set()

    def walk(name: str, trail: list[str]) -> list[str] | None:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name in done:
            return None
        for each in sorted(edges.get(name, ())):
            found = walk(each, [*trail, name])
            if found:
                return found
        done.add(name)
        return None

    return next((found for name in sorted(edges) if (found := walk(name, []))), None)


def test_the_search_for_circles_finds_one() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a", "b", "c", "a"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None


def test_relative_imports_are_resolved() -> None:
    assert any(each.startswith(COLLECTION) for each in IMPORTS[f"{COLLECTION}.filter.layered"])
