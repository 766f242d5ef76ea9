# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The fold over ansible-runner's events, from events as ansible-runner 2.4 sends them."""

from __future__ import annotations

from typing import Any

from rampart.runner.state import Cell, RunState, failure_text, phase_of, stage_of


def event(kind: str, host: str = "gpu1", **data: Any) -> dict[str, Any]:
    task = {
        "task": "The rules are in force",
        "task_path": "/c/roles/firewall/tasks/configure.yml:12",
        "role": "rampart.fleet.firewall",
        "play": "Harden",
        "resolved_action": "rampart.fleet.nft_table",
    }
    return {"event": kind, "event_data": {**task, "host": host, **data}}


def fold(*events: dict[str, Any]) -> RunState:
    state = RunState()
    for each in events:
        state.apply(each)
    return state


def test_stage_is_the_role_and_phase_is_its_tasks_file() -> None:
    data = event("runner_on_start")["event_data"]
    assert (stage_of(data), phase_of(data)) == ("firewall", "configure")
    assert stage_of({"play": "Verify the fleet"}) == "playbook"


def test_a_running_task_shows_its_phase_and_a_finished_one_its_count() -> None:
    state = fold(event("runner_on_start"))
    assert state.cells["gpu1", "firewall"].phase == "configure"
    state.apply(event("runner_on_ok", res={"changed": True}))
    assert state.cells["gpu1", "firewall"] == Cell(changed=1)


def test_hosts_and_stages_keep_the_order_in_which_they_came() -> None:
    state = fold(event("runner_on_start", "b"), event("runner_on_start", "a"), event("runner_on_start", "b", role="x"))
    assert (state.hosts, state.stages) == (["b", "a"], ["firewall", "x"])


def test_a_failure_is_kept_whole_and_an_ignored_one_is_none() -> None:
    state = fold(
        event("runner_on_failed", res={"msg": "no such table", "stderr": "nft: line 3"}),
        event("runner_on_failed", "gpu2", res={"msg": "as expected"}, ignore_errors=True),
        event("runner_on_unreachable", "gpu3", res={"msg": "no route"}),
    )
    assert [(each.host, each.text, each.unreachable) for each in state.failures] == [
        ("gpu1", "no such table\nnft: line 3", False),
        ("gpu3", "no route", True),
    ]
    assert state.totals("gpu2").failed == 0
    assert state.failures[0].action == "rampart.fleet.nft_table"


def test_what_a_rescue_took_over_is_kept_and_marked() -> None:
    failed = event("runner_on_failed", res={"msg": "x"})
    stats = {"event": "playbook_on_stats", "event_data": {"failures": {}, "dark": {}, "rescued": {"gpu1": 1}}}
    assert [each.rescued for each in fold(failed, stats).failures] == [True]
    stats["event_data"] = {"failures": {"gpu1": 1}, "dark": {}}
    assert [each.rescued for each in fold(failed, stats).failures] == [False]


def test_an_error_before_any_play_is_kept() -> None:
    state = fold({"event": "error", "stdout": "[ERROR]: the playbook: nope.yml could not be found"})
    assert state.errors == ["[ERROR]: the playbook: nope.yml could not be found"]


def test_failure_text_says_each_part_once_and_names_the_items() -> None:
    assert failure_text({"msg": "same", "stderr": "same"}) == "same"
    items = [{"item": "a", "failed": True, "msg": "bad"}, {"item": "b", "msg": "fine"}]
    assert failure_text({"msg": "Some items failed", "results": items}) == "Some items failed\nitem a: bad"
    assert "stdout in the run folder" in failure_text({})
