# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The report of 100 hosts and 400 controls, with a run before it in the history: seconds of processor and sizes.

Seconds of processor, because the machine may be busy with other things. Nothing is asserted about time.
"""

from __future__ import annotations

import time
from pathlib import Path

from ansible_collections.rampart.fleet.plugins.plugin_utils.report.assemble import RunInfo, assemble, load_host_files
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.formats.export import FORMATS
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.history import History
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.judge import judge
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.memory import without_cycle_search
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.publish import Published, publish

from tests.bench.test_hardening_times import show
from tests.unit.report.conftest import FINISHED, write_run

HOSTS, CONTROLS = 100, 400


def report_of(folder: Path, run_id: str, formats: tuple[str, ...] = ()) -> tuple[float, Published]:
    """Everything that the task of a playbook does for a report; return its seconds of processor."""
    started = time.process_time()
    with without_cycle_search():
        files = load_host_files(folder / run_id / "hosts")
        run = RunInfo(run_id, FINISHED, "Bench", "verify.yml", "controller1")
        report = assemble(files, sorted(files.documents), run, "high", judge)
        published = publish(report, folder / "report", History(folder / "history.sqlite"), formats=formats)
    return time.process_time() - started, published


def test_a_report_of_a_large_fleet(tmp_path: Path) -> None:
    fleet = {f"gpu{number:03d}": "inference" for number in range(HOSTS)}
    for seed, run_id in enumerate(("run-1", "run-2", "run-3")):
        write_run(tmp_path / run_id, run_id, seed, fleet, CONTROLS)
    first, _published = report_of(tmp_path, "run-1")
    second, published = report_of(tmp_path, "run-2")
    third, _published = report_of(tmp_path, "run-3", tuple(FORMATS))
    assert published.fault == ""
    assert published.report["changes"]["previous"]["new_failures"]
    verified = time.process_time()
    assert History(tmp_path / "history.sqlite").verify().problems == ()
    verified = time.process_time() - verified
    show(
        (f"report, {HOSTS} hosts x {CONTROLS} controls", f"{first:6.2f} s of a processor"),
        ("with a run before it", f"{second:6.2f} s"),
        (f"and {', '.join(FORMATS)}", f"{third:6.2f} s"),
        ("history verified", f"{verified:6.2f} s"),
        *((path.name, f"{path.stat().st_size / 1e6:6.2f} MB") for path in published.written),
    )
