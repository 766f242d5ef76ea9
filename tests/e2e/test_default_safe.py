# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What is recorded as safe by default passes on a host that nothing has hardened, and nothing else does."""

from __future__ import annotations

import json

import pytest
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.default_safe import RECORD

from .default_safe import passing
from .fleet import Fleet


@pytest.mark.lab
def test_a_bare_host_passes_what_is_recorded(bare_fleet: Fleet) -> None:
    recorded = set(json.loads(RECORD.read_text(encoding="utf-8"))["debian12"])
    found = set(passing(bare_fleet.lab))
    assert found == recorded, f"run: make default-safe; more pass: {found - recorded}; fewer: {recorded - found}"
