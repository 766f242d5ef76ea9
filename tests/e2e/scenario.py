# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The lab of a molecule scenario, by the name that molecule/shared/create.yml gives it."""

from __future__ import annotations

import hashlib

from .fleet import CHECKOUT


def lab_of(scenario: str) -> str:
    """The name differs between checkouts, so that two of them may run one scenario at the same time."""
    return f"mol-{scenario.replace('_', '-')}-{hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:6]}"
