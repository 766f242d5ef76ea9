# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Probe kinds: how a probe file declares what it measures and which parameters it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Callable

from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host

Params = Mapping[str, Any]
Measure = Callable[[Host, Params], Any]
Prefetch = Callable[[Host, list[Params]], None]


@dataclass(frozen=True)
class ProbeKind:
    """A named way to measure. `prefetch` is called once with the parameters of all probes of the kind before any runs,
    so that one command can answer all of them from the host's memo."""

    name: str
    measure: Measure
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    source: str = ""
    prefetch: Prefetch | None = field(default=None, compare=False)

    def __call__(self, host: Host, params: Params) -> Any:
        """Measure: return a JSON value, or raise `Absent`, `ProbeError` or `ProbeTimeout`."""
        return self.measure(host, params)

    def describe(self, params: Params) -> str:
        """Return where the value comes from, with the parameters filled in, for the observation's `source`."""
        return self.source.format_map(_Blank(params)).strip() or self.name

    def problems(self, params: Params) -> list[str]:
        """Return what is wrong with the names of the parameters; empty when nothing is."""
        known = set(self.required) | set(self.optional)
        missing = [f"probe kind '{self.name}' needs parameter '{name}'" for name in self.required if name not in params]
        unknown = [
            "probe kind '{}' has no parameter '{}' (it has: {})".format(
                self.name, name, ", ".join(sorted(known)) or "none"
            )
            for name in sorted(set(params) - known)
        ]
        return missing + unknown


class _Blank(dict[str, Any]):
    """A mapping for `format_map` that leaves out what is not given."""

    def __init__(self, params: Params) -> None:
        super().__init__({key: _plain(value) for key, value in params.items()})

    def __missing__(self, key: str) -> str:
        return ""


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}={value[key]}" for key in sorted(value))
    if isinstance(value, (list, tuple)):
        return " ".join(str(item) for item in value)
    return str(value)


def probe(
    name: str,
    required: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
    source: str = "",
    prefetch: Prefetch | None = None,
) -> Callable[[Measure], ProbeKind]:
    """Declare the decorated function to be the probe kind `name`.

    `source` names what is read, with `{param}` places, such as `sshd -T -C {ctx}`.
    """

    def declare(measure: Measure) -> ProbeKind:
        return ProbeKind(name, measure, required, optional, source, prefetch)

    return declare


def index(values: Iterable[Any]) -> dict[str, ProbeKind]:
    """Return the probe kinds that the modules among `values` declare, by name.

    ValueError when a name is declared twice.
    """
    kinds: dict[str, ProbeKind] = {}
    for module in values:
        if not isinstance(module, ModuleType):
            continue
        for kind in vars(module).values():
            if isinstance(kind, ProbeKind):
                if kinds.get(kind.name, kind) is not kind:
                    raise ValueError(f"probe kind '{kind.name}' is declared twice, again in {module.__name__}")
                kinds[kind.name] = kind
    return kinds
