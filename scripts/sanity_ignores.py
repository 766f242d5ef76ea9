#!/usr/bin/env python3
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Write ansible-test's ignore file for a tree: what its rules say of every Ansible collection and not of this one.

usage: sanity_ignores.py TREE CORE_VERSION PYTHON_VERSION

Written and not kept by hand, so that a new module needs no line of its own. Two rules, each with its reason:
modules are Apache-2.0, not GPL; and what runs on the controller only may need what pyproject.toml declares, while
ansible-test imports every plugin in an environment that has ansible-core and nothing else.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

PREFIX = "ansible_collections.rampart.fleet."
CONTROLLER_ONLY = {"jsonschema"}


def outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when a file is imported: all of it but the bodies of functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield child
            yield from outside_functions(child)


def imports(path: Path) -> set[str]:
    """Dotted names that importing a file imports, names taken from a module included."""
    found: set[str] = set()
    for node in outside_functions(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def need_controller(tree: Path) -> list[str]:
    """Files that import a controller-only package, directly or through another of ours."""
    files = {
        PREFIX + ".".join(path.relative_to(tree).with_suffix("").parts): path
        for path in sorted(tree.glob("plugins/**/*.py"))
    }
    used = {name: imports(path) for name, path in files.items()}
    needing = {name for name, names in used.items() if {each.partition(".")[0] for each in names} & CONTROLLER_ONLY}
    while more := {name for name, names in used.items() if names & needing} - needing:
        needing |= more
    return sorted(str(files[name].relative_to(tree)) for name in needing)


def lines(tree: Path, python: str) -> list[str]:
    """The lines of the ignore file."""
    modules = sorted(path.relative_to(tree) for path in tree.glob("plugins/modules/*.py") if path.stem != "__init__")
    found = [f"{path} validate-modules:missing-gplv3-license # the collection is Apache-2.0" for path in modules]
    return found + [
        f"{path} import-{python} # runs on the controller, which has what pyproject.toml declares"
        for path in need_controller(tree)
    ]


def main(tree: str, core: str, python: str) -> int:
    """Write tests/sanity/ignore-<core>.txt."""
    path = Path(tree) / "tests" / "sanity" / f"ignore-{core}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines(Path(tree), python)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
