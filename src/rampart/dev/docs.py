# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Write the role READMEs, docs/controls.md, docs/coverage.md and docs/second-opinions.md.

With --check say which of them are out of date.

usage: python -m rampart.dev.docs [--check] [CHECKOUT]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rampart.dev import coverage, render, second_opinions
from rampart.dev.catalogue import load_roles
from rampart.dev.frameworks import frameworks, reasons, recommendations


def documents(root: Path) -> dict[Path, str]:
    """Every generated file of a checkout with the text that it should have."""
    roles = load_roles(root)
    files = {role.path / "README.md": render.role_readme(role) for role in roles}
    files[root / "docs" / "controls.md"] = render.catalogue(roles)
    files[root / "docs" / "coverage.md"] = coverage.document(roles, recommendations(), reasons(), frameworks())
    files[root / "docs" / "second-opinions.md"] = second_opinions.document(
        second_opinions.disagreements(), second_opinions.figures()
    )
    return files


def stale(root: Path) -> list[Path]:
    """Generated files that are missing or differ."""
    return [
        path for path, text in documents(root).items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 when all files are as they should be (after writing them), 1 when --check found others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("checkout", nargs="?", type=Path, default=Path.cwd())
    options = parser.parse_args(argv)
    root = options.checkout.resolve()
    old = stale(root)
    if options.check:
        for path in old:
            print(f"{path.relative_to(root)} is not what its sources say: run  make docs", file=sys.stderr)
        return 1 if old else 0
    texts = documents(root)
    for path in old:
        path.write_text(texts[path], encoding="utf-8")
        print(f"wrote {path.relative_to(root)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
