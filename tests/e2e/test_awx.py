# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What AWX needs of a run: small events, a summary that it can hand on, and playbooks that it finds.

AWX runs jobs by ansible-runner, which empties the result of an event above 700,000 characters without a word
(MAX_EVENT_RES of its callback), and keeps what set_stats leaves for the later nodes of a workflow.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import ansible_runner
import pytest

from .fleet import BIN, CHECKOUT, Fleet

Json = dict[str, Any]

MAX_EVENT_BYTES = 400_000
MAX_ARTIFACT_BYTES = 10_000
# awx/main/utils/ansible.py: a file is offered as a playbook when a line of it matches.
PLAYBOOK_LINE = re.compile(
    r"^\s*?-?\s*?(?:hosts|(ansible\.builtin\.)?(include|import_playbook)):\s*?.*?$", re.MULTILINE
)


def test_every_playbook_is_one_that_a_project_offers() -> None:
    playbooks = sorted((CHECKOUT / "playbooks").glob("*.yml"))
    assert {"assess.yml", "harden.yml", "site.yml", "verify.yml"} <= {path.name for path in playbooks}
    for path in playbooks:
        assert PLAYBOOK_LINE.search(path.read_text(encoding="utf-8")), f"AWX would not offer {path.name}"


@pytest.fixture(scope="module")
def events(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
    """The events of a verification of the hardened fleet, as a job of AWX would keep them."""
    folder = tmp_path_factory.mktemp("job")
    done = ansible_runner.run(
        private_data_dir=str(folder),
        project_dir=str(CHECKOUT),
        playbook="playbooks/verify.yml",
        inventory=str(fleet.inventory),
        extravars={"posture_report_dir": str(folder / "report"), "posture_report_url": "https://reports.example.org/1"},
        envvars={"ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "PATH": f"{BIN}:{os.environ['PATH']}"},
        quiet=True,
        suppress_env_files=True,
    )
    assert done.status == "successful", Path(done.config.artifact_dir, "stdout").read_text()[-4000:]
    return [
        json.loads(path.read_text()) for path in sorted(Path(done.config.artifact_dir, "job_events").glob("*.json"))
    ]


@pytest.mark.lab
def test_no_event_is_large_and_none_carries_the_catalogue(events: list[Json]) -> None:
    sizes = {len(json.dumps(event)): event["event_data"].get("task", event["event"]) for event in events}
    largest = max(sizes)
    print(f"{len(events)} events, {sum(sizes)} bytes, the largest {largest} ({sizes[largest]})")
    assert largest <= MAX_EVENT_BYTES
    for event in events:
        if "posture" in str(event["event_data"].get("task_action", "")):
            text = json.dumps(event["event_data"].get("res", {}))
            assert "rationale" not in text, "the controls travel in an event"
            assert len(text) <= MAX_EVENT_BYTES


@pytest.mark.lab
def test_the_later_jobs_of_a_workflow_get_a_summary(events: list[Json]) -> None:
    (stats,) = (event["event_data"] for event in events if event["event"] == "playbook_on_stats")
    artifact = stats["artifact_data"]
    assert len(json.dumps(artifact)) <= MAX_ARTIFACT_BYTES
    told = artifact["rampart_posture"]
    assert (told["state"], told["exit_code"]) == ("pass", 0)
    assert told["report_url"] == "https://reports.example.org/1"
    assert re.fullmatch(r"[0-9a-f]{64}", told["report_sha256"])
    assert told["chain"]["position"] >= 1
