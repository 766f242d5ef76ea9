# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What can be seen of a host from another one: the kinds of probes with `vantage: external`."""

from __future__ import annotations

from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import ProbeKind, index


def kinds() -> dict[str, ProbeKind]:
    """Return every kind by name."""
    return index(globals().values())
