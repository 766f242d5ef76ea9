# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Measure many probes of one host in turn, under one time budget; no probe can stop or starve the others."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Callable

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError, ProbeTimeout
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import Observation
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import ProbeKind

# An observation is evidence that is kept for every host and run; more than this is a dump.
MAX_VALUE_BYTES = 256 * 1024
_PREFETCH_S = 10.0
# How long a probe may overrun its time before its thread is given up: it notices the deadline itself as a rule.
_GRACE_S = 0.5

Job = Callable[[], Observation]


@dataclass(frozen=True)
class Request:
    """One thing to measure; `timeout_s` in seconds of a normal host."""

    key: str
    kind: str
    params: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float = 5.0

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the option `probes` of a module."""
        return {"key": self.key, "kind": self.kind, "params": dict(self.params), "timeout_s": self.timeout_s}


def measure(
    host: Host, requests: Sequence[Request], kinds: Mapping[str, ProbeKind], budget_s: float
) -> dict[str, Observation]:
    """Return an observation for every request, by key, within `budget_s` seconds and the grace of one probe."""
    end = time.monotonic() + budget_s
    worker = _Worker()
    stuck = {}
    for kind, params in _prefetches(requests, kinds):
        fetched, worker = _prefetch(worker, host, kind, params, end)
        if fetched.status == "timeout":
            stuck[kind.name] = fetched
    observations = {}
    for request in requests:
        if request.kind in stuck:
            # What did not answer when asked for all at once would use up the time of the others one by one.
            observations[request.key] = stuck[request.kind]
            continue
        left = end - time.monotonic()
        if left <= 0:
            reason = f"the time budget of {budget_s:g} s for all probes of the host was used up before this one"
            observations[request.key] = Observation("timeout", reason=reason)
            continue
        observations[request.key], worker = _one(
            worker, host, request, kinds, min(host.stretched(request.timeout_s), left)
        )
    worker.stop()
    return observations


def _prefetches(
    requests: Iterable[Request], kinds: Mapping[str, ProbeKind]
) -> list[tuple[ProbeKind, list[Mapping[str, Any]]]]:
    wanted: dict[str, list[Mapping[str, Any]]] = {}
    for request in requests:
        if request.kind in kinds and kinds[request.kind].prefetch is not None:
            wanted.setdefault(request.kind, []).append(request.params)
    return [(kinds[name], params) for name, params in wanted.items()]


def _prefetch(
    worker: _Worker, host: Host, kind: ProbeKind, params: list[Mapping[str, Any]], end: float
) -> tuple[Observation, _Worker]:
    limit = min(host.stretched(_PREFETCH_S), end - time.monotonic())

    def job() -> Observation:
        if kind.prefetch is not None:
            kind.prefetch(host.until(time.monotonic() + limit), params)
        return Observation("ok")

    # What a prefetch could not get, each probe meets again and reports under its own name.
    return _within(worker, lambda: _guarded(job), limit)


def _one(
    worker: _Worker, host: Host, request: Request, kinds: Mapping[str, ProbeKind], limit: float
) -> tuple[Observation, _Worker]:
    kind = kinds.get(request.kind)
    if kind is None:
        reason = f"probe kind '{request.kind}' is not known to the code on the host"
        return Observation("error", reason=reason), worker
    started = time.monotonic()
    view = host.until(started + limit)
    known = kind

    def job() -> Observation:
        return Observation("ok", _bounded(known(view, request.params)))

    observation, worker = _within(worker, lambda: _guarded(job), limit)
    ms = round((time.monotonic() - started) * 1000, 2)
    return replace(observation, source=_source(kind, request.params), ms=ms), worker


def _guarded(job: Job) -> Observation:
    try:
        return job()
    except Absent as absent:
        return Observation("absent", reason=str(absent))
    except ProbeTimeout as late:
        return Observation("timeout", reason=str(late))
    except ProbeError as error:
        return Observation("error", reason=str(error))
    except Exception as error:
        # A fault of a probe is a finding about us and not about the host: it is told, and it is never a pass.
        return Observation("error", reason=f"the probe failed: {type(error).__name__}: {error}")


def _bounded(value: Any) -> Any:
    """Return the value as JSON has it; ProbeError when it is no JSON, or too much of it."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ProbeError(f"the probe returned what JSON cannot hold: {error}") from None
    if len(text) > MAX_VALUE_BYTES:
        raise ProbeError(f"the observation has {len(text)} bytes, wanted at most {MAX_VALUE_BYTES}: narrow the probe")
    return json.loads(text)


def _source(kind: ProbeKind, params: Mapping[str, Any]) -> str:
    try:
        return kind.describe(params)
    except (ValueError, LookupError, AttributeError):
        return kind.name


def _within(worker: _Worker, job: Job, limit: float) -> tuple[Observation, _Worker]:
    observation = worker.run(job, max(0.0, limit) + _GRACE_S)
    if observation is not None:
        return observation, worker
    # The thread is stuck in the kernel (a dead network mount): it is left behind, and another goes on.
    return Observation("timeout", reason=f"no answer within {limit:.1f} s; the probe was given up"), _Worker()


class _Worker:
    """A thread that probes run in, so that one which never returns can be left behind."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Observation] = queue.SimpleQueue()
        threading.Thread(target=self._serve, daemon=True, name="posture-probes").start()

    def run(self, job: Job, timeout: float) -> Observation | None:
        """Return what the job returned, or None when it did not return in time; the worker is of no use after that."""
        self._jobs.put(job)
        try:
            return self._done.get(timeout=timeout)
        except queue.Empty:
            self._jobs.put(None)
            return None

    def stop(self) -> None:
        """Let the thread end once it is idle."""
        self._jobs.put(None)

    def _serve(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            self._done.put(job())
