# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Places the collection's single files in the wheel; hatchling's `sources` rewrite folders only.

Not by `force-include` in pyproject.toml: that holds for editable installs as well, where a folder
ansible_collections/rampart/fleet in site-packages hides the checkout.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FILES = ("galaxy.yml", "README.md", "CHANGELOG.md")


class SingleFiles(BuildHookInterface[Any]):
    """Runs for each wheel; `version` is standard or editable."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            build_data["force_include"].update({name: f"ansible_collections/rampart/fleet/{name}" for name in FILES})
