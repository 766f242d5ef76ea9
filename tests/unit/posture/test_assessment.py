# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""One host's assessment: what is asked for, and the file that keeps the answer."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.evaluate import evaluate
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import Observation, Waiver, observation_key
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture import assessment
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.catalogue import Entry
from hypothesis import given
from hypothesis import strategies as st

SUBJECT = assessment.Subject(
    name="gpu1",
    mode="inference",
    roles=("tst",),
    run_id="run-1",
    started=datetime(2026, 3, 1, 12, tzinfo=UTC),
    collection_version="0.1.0",
    catalogue_sha256="abc",
)
CONTEXT = {
    "virt": Observation("ok", {"kind": "vm", "name": "kvm"}),
    "os_release": Observation("ok", {"id": "debian", "version": "12", "kernel": "6.1.0", "hostname": "h"}),
    "workload": Observation("error", reason="no sysfs"),
    "simulated_hardware": Observation("ok", ["gpu"]),
}


def entry(number: int, key: str = "kernel.a", **changes: Any) -> Entry:
    control = {
        "id": f"RMP-TST-{number:03}",
        "title": "A thing is so",
        "severity": "high",
        "rationale": "Because.",
        "probes": [{"id": "key", "kind": "sysctl", "key": key}],
        "expect": {"all": [{"obs": "key", "op": "ge", "value": 1}]},
        "remedy": "role x",
        **changes,
    }
    return Entry("tst", control)


def test_equal_measurements_are_asked_for_once_with_the_longest_time() -> None:
    entries = [entry(1), entry(2, cost={"timeout_s": 9}), entry(3, key="kernel.b")]
    wanted = {one.key: one for one in assessment.requests_for(entries)}
    context = {"virt", "os_release", "workload", "simulated_hardware"}
    assert set(wanted) == {*context, "sysctl(key=kernel.a)", "sysctl(key=kernel.b)"}
    assert wanted["sysctl(key=kernel.a)"].timeout_s == 9


def test_the_host_file_says_what_was_found_and_can_be_judged_again(tmp_path: Path) -> None:
    entries = [entry(1), entry(2, key="kernel.b")]
    observations = {
        **CONTEXT,
        "sysctl(key=kernel.a)": Observation("ok", 2),
        "sysctl(key=kernel.b)": Observation("ok", 0),
    }
    waiver = Waiver(
        *("W-1", "RMP-TST-002", ("gpu*",), "ops", "vendor", date(2026, 2, 1), date(2026, 3, 1)), "OPS-1", "the bastion"
    )
    found = assessment.judge(SUBJECT, entries, observations, [waiver])
    path = assessment.write_host_file(tmp_path / "report", assessment.document(SUBJECT, entries, found, [waiver]))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    document = json.loads(path.read_text())
    host = document["host"]
    assert (host["state"], host["counts"], host["score"]) == ("measured", {"pass": 1, "waived": 1}, 100.0)
    assert host["context"] == {
        "hostname": "gpu1",
        "mode": "inference",
        "virt": "vm",
        "os": {"id": "debian", "version": "12"},
        "kernel": "6.1.0",
        "workload": None,
        "simulated": ["gpu"],
    }
    assert document["controls"]["RMP-TST-001"]["area"] == "TST"
    assert document["waivers"][0]["matched"] is True
    stored = {key: Observation.from_json(one) for key, one in host["observations"].items()}
    again = [
        evaluate(control, stored, host["context"], [waiver], date(2026, 3, 1)).to_json()
        for control in document["definitions"].values()
    ]
    assert again == host["results"]


def test_a_host_that_could_not_be_measured_is_kept_with_the_reason(tmp_path: Path) -> None:
    subject = replace(SUBJECT, name="../gpu 1")
    content = assessment.document(subject, [entry(1)], assessment.failed("no python"), [])
    path = assessment.write_host_file(tmp_path, content)
    host = json.loads(path.read_text())["host"]
    assert path.parent == tmp_path / "hosts"
    assert (host["name"], host["state"], host["reason"], host["score"]) == ("../gpu 1", "failed", "no python", None)


PARAMS = st.dictionaries(
    st.sampled_from("ab"),
    st.one_of(
        st.text('a1/, =()"', max_size=4),
        st.integers(0, 2),
        st.booleans(),
        st.none(),
        st.lists(st.text("a,"), max_size=2),
    ),
)


@given(PARAMS, PARAMS)
def test_different_measurements_never_share_a_key(first: dict[str, Any], second: dict[str, Any]) -> None:
    same = json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    assert (observation_key("k", first) == observation_key("k", second)) == same
