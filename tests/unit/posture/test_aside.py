# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Work in a process of its own: its answer comes back, its faults are told, and it is waited for."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from ansible_collections.rampart.fleet.plugins.plugin_utils.aside import Aside, AsideFailed


def test_the_answer_comes_back_while_the_caller_went_on() -> None:
    started = time.monotonic()
    with Aside(lambda: time.sleep(0.4) or {"seen": [1, "x"], "pid": os.getpid()}) as aside:
        time.sleep(0.4)
        answer = aside.result()
    assert answer["seen"] == [1, "x"]
    assert answer["pid"] != os.getpid()
    assert time.monotonic() - started < 0.79


def test_what_it_raised_is_told() -> None:
    with Aside(lambda: 1 // 0) as aside, pytest.raises(AsideFailed, match="ZeroDivisionError"):
        aside.result()


def test_a_process_that_dies_is_no_answer() -> None:
    with Aside(lambda: os._exit(0)) as aside, pytest.raises(AsideFailed, match="without an answer"):
        aside.result()


def test_an_answer_that_is_no_json_is_no_answer() -> None:
    with Aside(object) as aside, pytest.raises(AsideFailed):
        aside.result()


def test_it_is_waited_for_when_the_caller_fails(tmp_path: Path) -> None:
    def work() -> None:
        time.sleep(0.3)
        (tmp_path / "done").touch()

    with pytest.raises(ValueError, match="of the caller"), Aside(work):
        raise ValueError("of the caller")
    assert (tmp_path / "done").exists()
