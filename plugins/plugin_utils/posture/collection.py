# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Which version of the collection judges: galaxy.yml in a checkout or wheel, MANIFEST.json once Galaxy built it."""

from __future__ import annotations

import json
from pathlib import Path

import yaml


def collection_version(root: Path) -> str:
    """Return the version, or `unknown` when neither file can be read."""
    try:
        manifest = root / "MANIFEST.json"
        if manifest.is_file():
            return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
        return str(yaml.safe_load((root / "galaxy.yml").read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return "unknown"
