# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Every file of probes is in the index: a module is sent to hosts with what it imports, and nothing else."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from ansible_collections.rampart.fleet.plugins.module_utils.posture import probes
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import ProbeKind

FOLDER = Path(str(probes.__file__)).parent


def test_every_file_of_probes_is_imported_by_the_index() -> None:
    declaring = {path.stem for path in FOLDER.glob("*.py") if "@probe(" in path.read_text(encoding="utf-8")}
    imported = {name for name, value in vars(probes).items() if isinstance(value, ModuleType)}
    assert declaring
    assert declaring <= imported, f"add to probes/__init__.py: {sorted(declaring - imported)}"


def test_every_kind_says_where_its_value_comes_from() -> None:
    kinds = probes.kinds()
    assert all(isinstance(kind, ProbeKind) and kind.source for kind in kinds.values())
