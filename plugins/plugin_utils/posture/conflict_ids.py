# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The ids of known conflicts between hardening and workloads, which a control's `because` may name."""

from __future__ import annotations

from ansible_collections.rampart.fleet.plugins.module_utils.workload.conflict_table import CONFLICTS


def conflict_ids() -> frozenset[str]:
    """Return every conflict's id."""
    return frozenset(conflict.id for conflict in CONFLICTS)
