# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Room for the report of a large fleet."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_cycle_search() -> Iterator[None]:
    """Keep Python from searching for cycles: a report is millions of small objects without one, and each new thousand
    of them would start a search through all. Reading 100 hosts takes a third of the time without."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
