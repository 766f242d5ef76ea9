# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The values that cross the engine: what was observed, what is waived, and what came of a control."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

STATES = ("pass", "fail", "not_applicable", "waived", "manual", "error", "unknown", "conflict")
#: Prefix of the keys of observations that another host of the fleet made
VANTAGE = "vantage:"
SEVERITIES = ("critical", "high", "medium", "low", "info")


@dataclass(frozen=True)
class Observation:
    """What a probe left. `status` is ok, absent, error or timeout; `value` is JSON and meaningful only when ok."""

    status: str
    value: Any = None
    reason: str = ""
    source: str = ""
    ms: float = 0.0

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Observation:
        """Return the observation of its stored form; unknown keys are ignored, so that newer evidence can be read."""
        return cls(
            status=str(data["status"]),
            value=data.get("value"),
            reason=str(data.get("reason") or ""),
            source=str(data.get("source") or ""),
            ms=float(data.get("ms") or 0.0),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the stored form."""
        # Not `asdict`, which copies every value to its leaves: two thousand of these are written for each host.
        return dict(vars(self))


@dataclass(frozen=True)
class Waiver:
    """A written exception: this control may fail on these hosts up to and including the day `expires`.

    `compensating_control` says what protects meanwhile.
    """

    id: str
    control: str
    hosts: tuple[str, ...]
    owner: str
    reason: str
    created: date
    expires: date
    ticket: str
    compensating_control: str

    def covers(self, control: str, host: str) -> bool:
        """Say whether it was written for this control on this host."""
        return self.control == control and any(fnmatchcase(host, pattern) for pattern in self.hosts)

    def expired(self, today: date) -> bool:
        """Say whether its last day is over."""
        return today > self.expires

    def to_json(self) -> dict[str, Any]:
        """Return the entry of a report."""
        days = {"created": self.created.isoformat(), "expires": self.expires.isoformat()}
        return {**vars(self), "hosts": list(self.hosts), **days}


@dataclass(frozen=True)
class Result:
    """What came of a control on a host. `expected` and `observed` are for people; `offenders` name list elements."""

    id: str
    severity: str
    state: str
    reason: str = ""
    expected: str = ""
    observed: str = ""
    waiver: str | None = None
    obs: tuple[str, ...] = ()
    offenders: tuple[str, ...] = ()
    because: str | None = field(default=None)
    #: `runtime` when what is in force and what the next boot brings differ
    drift: str | None = None
    #: {name: {value, default}} of the control's parameters
    parameters: Mapping[str, Any] = field(default_factory=dict)
    #: whether a fresh installation of the host's release passes as well
    default_safe: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the entry of a report."""
        return {**vars(self), "obs": list(self.obs), "offenders": list(self.offenders)}


def probe_key(probe: Mapping[str, Any]) -> str:
    """Return the observation key of an entry of a control's `probes`; what is seen from outside has a prefix."""
    key = observation_key(probe["kind"], params_of(probe))
    return f"{VANTAGE}{key}" if is_external(probe) else key


def params_of(probe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters in an entry of a control's `probes`."""
    return {name: value for name, value in probe.items() if name not in ("id", "kind", "vantage")}


def is_external(probe: Mapping[str, Any]) -> bool:
    """Say whether an entry of `probes` is measured from another host."""
    return bool(probe.get("vantage") == "external")


def observation_key(kind: str, params: Mapping[str, Any]) -> str:
    """Return the name under which equal measurements are shared: `kind` or `kind(a=1, b=x)`; injective."""
    if not params:
        return kind
    return "{}({})".format(kind, ", ".join(f"{name}={_word(params[name])}" for name in sorted(params)))


def _word(value: Any) -> str:
    if isinstance(value, str) and value and all(char.isalnum() or char in "_./@:*-" for char in value):
        # Text that JSON would read as another value keeps its quotes.
        return (
            value
            if (value[0].isalpha() and value not in ("true", "false", "null")) or value[0] == "/"
            else json.dumps(value)
        )
    return json.dumps(value, sort_keys=True)
