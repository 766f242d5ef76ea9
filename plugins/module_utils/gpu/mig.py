# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A divided GPU does not tell everything: where it says N/A for that reason, the facts say so."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from ansible_collections.rampart.fleet.plugins.module_utils.gpu.facts import Gpu
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.values import Unavailable

T = TypeVar("T")


def with_mig_named(gpu: Gpu) -> Gpu:
    """Return the facts with MIG as the reason where it is the reason."""
    return _renamed(gpu) if gpu.mig.enabled is True else gpu


def _renamed(facts: T) -> T:
    changed: dict[str, Any] = {}
    for each in fields(facts):  # type: ignore[arg-type]
        value = getattr(facts, each.name)
        if is_dataclass(value) and not isinstance(value, (Unavailable, type)):
            changed[each.name] = _renamed(value)
        elif isinstance(value, Unavailable) and value.reason == "not_supported" and each.metadata.get("mig_hides"):
            changed[each.name] = Unavailable("mig", value.text)
    return replace(facts, **changed)  # type: ignore[type-var]
