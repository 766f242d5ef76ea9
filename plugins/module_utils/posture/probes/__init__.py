# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The index of probe kinds: one import line a file, because what is sent to a host follows static imports only."""

from __future__ import annotations

from typing import Dict

from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes import (
    audit_rules,
    journald,
    logging,
    sysctl,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import ProbeKind, index


def kinds() -> dict[str, ProbeKind]:
    """Return every probe kind by name; each module imported above contributes what it declares."""
    return index(globals().values())
