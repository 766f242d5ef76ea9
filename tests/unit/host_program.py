# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Programs that roles put on hosts, as modules of a test: they have neither a package nor an ending."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROLES = Path(__file__).parents[2] / "roles"


def load(role: str, name: str) -> ModuleType:
    """Return the program `name` of a role, read anew; nothing is compiled beside it."""
    path = ROLES / role / "files/usr/local/lib/rampart" / name
    loader = importlib.machinery.SourceFileLoader(f"rampart_{name.replace('-', '_')}", str(path))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        sys.modules[loader.name] = module  # dataclasses look their module up
        loader.exec_module(module)
    return module
