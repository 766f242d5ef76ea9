# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Keeps catalogues that were found valid, so that a run does not validate them again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.files import write_private

_KEPT = 8


def default_cache() -> Path:
    """Return $XDG_CACHE_HOME/rampart/catalogue, or the same under ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "rampart" / "catalogue"


def load_cached(cache: Path | None, digest: str) -> list[tuple[str, Mapping[str, Any]]] | None:
    """Return what was kept under a hash; None when nothing usable was, or when it is not the caller's own file."""
    if cache is None:
        return None
    path = cache / f"{digest}.json"
    try:
        # The folder may be shared by mistake; what another user wrote decides nothing.
        if path.stat().st_uid != os.geteuid():
            return None
        pairs = json.loads(path.read_text(encoding="utf-8"))
        return [(str(role), dict(control)) for role, control in pairs]
    except (OSError, ValueError, TypeError):
        return None


def store_cached(cache: Path | None, digest: str, pairs: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Keep a valid catalogue; a cache that cannot be written costs time and nothing else."""
    if cache is None:
        return
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(cache / f"{digest}.json", json.dumps(list(pairs)))
        kept = sorted(cache.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in kept[_KEPT:]:
            old.unlink(missing_ok=True)
    except OSError:
        return
