# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the roles of the collection accept: their argument_specs, and the layers of their layered variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

# libyaml is ten times faster than the pure loader, and missing only from unusual builds of PyYAML.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

LAYER_SUFFIXES = ("", "_mode", "_group", "_host")


@dataclass(frozen=True)
class RoleSpec:
    """A role and its public variables: name to argument_specs option (type, elements, choices, options)."""

    name: str
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def option(self, variable: str) -> Mapping[str, Any] | None:
        """Return the option that describes a variable, or None when the role has no such variable."""
        return self.variables().get(variable)

    def variables(self) -> dict[str, Mapping[str, Any]]:
        """Return every accepted variable; `x_default` is the first layer of x, x_mode, x_group and x_host."""
        accepted = dict(self.options)
        for name, option in self.options.items():
            if name.endswith("_default"):
                for suffix in LAYER_SUFFIXES:
                    accepted.setdefault(name.removesuffix("_default") + suffix, option)
        return accepted


def collection_root() -> Path:
    """Return the folder of the collection that this file belongs to."""
    return Path(__file__).resolve().parents[2]


def load_role_specs(root: Path) -> dict[str, RoleSpec]:
    """Return the roles under root/roles by name; a role without argument_specs accepts nothing.

    Raises ValueError, naming the file, when an argument_specs file is not what Ansible expects.
    """
    roles = sorted(path for path in (root / "roles").glob("*") if (path / "tasks").is_dir())
    return {role.name: RoleSpec(role.name, _options(role / "meta" / "argument_specs.yml")) for role in roles}


def _options(path: Path) -> dict[str, Mapping[str, Any]]:
    if not path.is_file():
        return {}
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # a safe loader
        entries = document["argument_specs"].values()
        return {str(name): option for entry in entries for name, option in (entry.get("options") or {}).items()}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: not a file of argument_specs ({error}); wanted argument_specs: main: options"
        ) from error
