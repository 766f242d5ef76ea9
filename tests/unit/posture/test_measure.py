# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Many probes, one budget; none stops the others."""

from __future__ import annotations

import threading
import time
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import MAX_VALUE_BYTES, Request, measure
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, ProbeKind

from .recorded_host import RecordedHost


def run(budget_s: float = 20.0, timeout_s: float = 5.0, **kinds: Any) -> dict[str, Any]:
    made = {name: ProbeKind(name, ask) for name, ask in kinds.items()}
    return measure(RecordedHost(), [Request(name, name, {}, timeout_s) for name in made], made, budget_s)


def fine(host: Host, params: Params) -> int:
    return 1


def test_whatever_a_probe_raises_is_its_own_observation() -> None:
    def absent(host: Host, params: Params) -> int:
        raise Absent("no such thing")

    def cannot(host: Host, params: Params) -> int:
        raise ProbeError("not readable")

    def bug(host: Host, params: Params) -> int:
        return {}["key"]

    found = run(absent=absent, cannot=cannot, bug=bug, fine=fine)
    assert [(one.status, one.value) for one in found.values()] == [
        ("absent", None),
        ("error", None),
        ("error", None),
        ("ok", 1),
    ]
    assert found["absent"].reason == "no such thing"
    assert "KeyError" in found["bug"].reason


def test_a_probe_that_never_returns_is_given_up_and_the_others_go_on() -> None:
    release = threading.Event()

    def stuck(host: Host, params: Params) -> bool:
        return release.wait(30)

    started = time.monotonic()
    found = run(timeout_s=0.2, stuck=stuck, fine=fine)
    release.set()
    assert found["stuck"].status == "timeout"
    assert found["fine"].status == "ok"
    assert time.monotonic() - started < 10


def test_what_the_budget_does_not_reach_is_a_timeout_that_says_so() -> None:
    def slow(host: Host, params: Params) -> None:
        time.sleep(0.3)

    found = run(budget_s=0.2, slow=slow, fine=fine)
    assert found["fine"].status == "timeout"
    assert "budget" in found["fine"].reason


def test_a_value_that_json_cannot_hold_or_that_is_too_large_is_an_error() -> None:
    found = run(
        odd=lambda host, params: {1, 2},
        nan=lambda host, params: float("nan"),
        large=lambda host, params: "x" * (MAX_VALUE_BYTES + 1),
    )
    assert {one.status for one in found.values()} == {"error"}
    assert str(MAX_VALUE_BYTES) in found["large"].reason


def test_an_unknown_kind_is_an_error() -> None:
    found = measure(RecordedHost(), [Request("k", "telepathy")], {}, 5.0)
    assert found["k"].status == "error"
    assert "telepathy" in found["k"].reason


def test_a_prefetch_is_called_once_with_all_parameters_and_its_failure_is_no_answer() -> None:
    seen: list[list[Params]] = []

    def prefetch(host: Host, params: list[Params]) -> None:
        seen.append(params)
        raise ProbeError("no service manager")

    kinds = {"unit": ProbeKind("unit", fine, ("unit",), prefetch=prefetch)}
    found = measure(RecordedHost(), [Request(name, "unit", {"unit": name}) for name in "ab"], kinds, 5.0)
    assert seen == [[{"unit": "a"}, {"unit": "b"}]]
    assert {one.status for one in found.values()} == {"ok"}


def test_source_names_what_was_read() -> None:
    kinds = {"x": ProbeKind("x", fine, ("ctx",), source="sshd -T -C {ctx}")}
    found = measure(RecordedHost(), [Request("k", "x", {"ctx": {"user": "root", "addr": "::1"}})], kinds, 5.0)
    assert found["k"].source == "sshd -T -C addr=::1,user=root"
