# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The roles of a checkout as the documents need them: interface and controls, read from the files that define them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Role:
    """A role: `specs` is argument_specs of its entry points, `controls` its controls in the order of their ids."""

    name: str
    path: Path
    specs: dict[str, Any]
    controls: tuple[dict[str, Any], ...]

    @property
    def main(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.specs.get("main", {})
        return spec

    @property
    def options(self) -> dict[str, Any]:
        options: dict[str, Any] = self.main.get("options") or {}
        return options


def load_yaml(path: Path) -> Any:
    """A YAML file's content; the path is named when it cannot be parsed."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: {error}") from error


def load_role(path: Path) -> Role:
    """Read one role's folder; a role without controls or interface has empty ones."""
    specs = path / "meta" / "argument_specs.yml"
    controls = [control for file in sorted(path.glob("controls/*.yml")) for control in load_yaml(file) or []]
    return Role(
        path.name,
        path,
        load_yaml(specs)["argument_specs"] if specs.is_file() else {},
        tuple(sorted(controls, key=lambda control: str(control["id"]))),
    )


def load_roles(root: Path) -> list[Role]:
    """Every role of the checkout, by name."""
    return [load_role(path) for path in sorted((root / "roles").iterdir()) if (path / "meta").is_dir()]
