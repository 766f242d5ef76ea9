# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""On the host under test: a measurer that notes what each observation rests on, and one whose tools and files fail.

`agent_host.py` hands over what a request says under `sabotage`:

    {trace: true}                what each observation rests on comes back under `rests_on`
    {tool: name, way: WAY}       the tool fails in that way; everything else is as it is
    {unreadable: [path]}         these files and folders cannot be read
    {user: name}                 measured as somebody who is not root
"""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import CommandResult, DirEntry
from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import SEARCH_PATH, LocalHost
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import observation_key
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, ProbeKind

# What a tool does instead of its work; `missing` is no script but no tool at all.
WAYS = {
    "garbage": "printf '\\377\\376{]\\n<<nothing: that= anyone[understands\\n'",
    "fails": "echo 'Operation not permitted' >&2; exit 1",
    "hangs": "exec sleep 120",
}
# Limits are a fifth of the usual, so that what hangs costs a second.
_HASTE = 0.2


class Trace:
    """What was read and run while an observation was made, answers from memory included."""

    def __init__(self) -> None:
        self.found: dict[str, set[str]] = {}
        self._known: dict[Any, set[str]] = {}
        self._open: list[set[str]] = []

    def add(self, leaves: set[str]) -> None:
        if self._open:
            self._open[-1] |= leaves

    @contextmanager
    def observation(self, key: str) -> Iterator[None]:
        self._open.append(set())
        try:
            yield
        finally:
            self.found.setdefault(key, set()).update(self._open.pop())

    @contextmanager
    def asked(self, key: tuple[Any, ...], leaves: set[str]) -> Iterator[None]:
        if key in self._known:
            self.add(self._known[key])
            yield
            return
        self._open.append(leaves)
        try:
            yield
        finally:
            self._known[key] = self._open.pop()
            self.add(self._known[key])


class WatchedHost(LocalHost):
    """The real host, with a note of what is asked of it, and files that cannot be read."""

    def __init__(self, trace: Trace, unreadable: Sequence[str] = (), **arguments: Any) -> None:
        super().__init__(**arguments)
        self._trace = trace
        self._unreadable = frozenset(unreadable)

    def read_bytes(self, path: str) -> bytes:
        self._refuse(path)
        return super().read_bytes(path)

    def listdir(self, path: str) -> list[str]:
        self._refuse(path)
        return super().listdir(path)

    def scandir(self, path: str) -> list[DirEntry]:
        self._refuse(path)
        self._trace.add({f"path {path}"})
        return super().scandir(path)

    def which(self, tool: str) -> str | None:
        self._trace.add({f"tool {tool}"})
        return super().which(tool)

    def run(self, argv: Sequence[str], timeout: float = 5.0, stdin: str = "") -> CommandResult:
        self._trace.add({f"tool {argv[0]}"})
        return super().run(argv, timeout, stdin)

    def _refuse(self, path: str) -> None:
        if path in self._unreadable:
            raise ProbeError(f"{path} cannot be read: Permission denied")

    def _once(self, key: tuple[Any, ...], ask: Callable[[], Any]) -> Any:
        leaves = {f"path {key[1]}"} if key[0] in ("read", "listdir") else set()
        with self._trace.asked(key, leaves):
            return super()._once(key, ask)


def watched(kinds: dict[str, ProbeKind], trace: Trace) -> dict[str, ProbeKind]:
    """The kinds of probes, each of which notes what its observations rest on."""
    return {name: replace(kind, measure=_noting(kind, trace)) for name, kind in kinds.items()}


def _noting(kind: ProbeKind, trace: Trace) -> Callable[[Any, Params], Any]:
    def measure(host: Any, params: Params) -> Any:
        with trace.observation(observation_key(kind.name, params)):
            return kind.measure(host, params)

    return measure


@contextmanager
def host(sabotage: dict[str, Any], trace: Trace, pace: float) -> Iterator[LocalHost]:
    """The host as the sabotage leaves it."""
    if "user" in sabotage:
        # Forked for this measurement only, so that there is no way back and none is needed.
        os.setgroups([])
        account = pwd.getpwnam(sabotage["user"])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    with _tools(sabotage) as search_path:
        haste = _HASTE if sabotage.get("way") == "hangs" else 1.0
        yield WatchedHost(trace, sabotage.get("unreadable", ()), search_path=search_path, pace=pace * haste)


@contextmanager
def _tools(sabotage: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """A search path on which one tool fails."""
    if "tool" not in sabotage:
        yield SEARCH_PATH
        return
    folder = Path(tempfile.mkdtemp(prefix="sabotage-", dir="/root"))
    try:
        for origin in SEARCH_PATH:
            for tool in sorted(entry.name for entry in os.scandir(origin)):
                link = folder / tool
                if not link.is_symlink():
                    link.symlink_to(f"{origin}/{tool}")
        _spoil(folder / sabotage["tool"], sabotage["way"])
        yield (str(folder),)
    finally:
        shutil.rmtree(folder)


def _spoil(path: Path, way: str) -> None:
    path.unlink(missing_ok=True)
    if way != "missing":
        path.write_text(f"#!/bin/sh\n{WAYS[way]}\n")
        path.chmod(0o755)
