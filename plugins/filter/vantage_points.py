# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The filter rampart.fleet.vantage_points."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.vantage import points


class _Modes(Mapping[str, Any]):
    """The mode of a host, looked up when it is asked for: a fleet of hundreds has as many variables of each."""

    def __init__(self, hostvars: Mapping[str, Any]) -> None:
        self._hostvars = hostvars

    def __getitem__(self, name: str) -> Any:
        return self._hostvars[name]["rampart_mode"]

    def __iter__(self) -> Any:
        return iter(self._hostvars)

    def __len__(self) -> int:
        return len(self._hostvars)


def vantage_points(name: str, play: Sequence[str], fleet: Sequence[str], hostvars: Mapping[str, Any]) -> list[str]:
    """Return the hosts that may look at a host; see vantage_points.yml."""
    return points(str(name), list(play), list(fleet), _Modes(hostvars))


class FilterModule:
    """What Ansible looks for in this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"vantage_points": vantage_points}
