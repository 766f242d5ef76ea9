#!/usr/bin/python
# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin of the same name; nothing here runs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: posture_report
short_description: Write the report of a posture run and give the verdict
version_added: "0.1.0"
description:
  - Joins what M(rampart.fleet.posture) measured in one run into a report on the controller, compares it with the run
    before and with the accepted baseline, records it in the history, shows the verdict, and fails when it is not good.
  - Writes C(index.html) (one self-contained page), C(posture.json), C(posture.xml) (JUnit) and C(posture.prom)
    (Prometheus textfile) into O(report_dir). When one of them cannot be written, none is replaced.
  - A host of O(hosts) without a result of this run is reported as unreachable or failed, and the verdict is then
    never good.
options:
  hosts:
    description: Hosts that the run was meant to measure. All hosts of group C(rampart) when left out.
    type: list
    elements: str
  run_id:
    description: The run, as given to M(rampart.fleet.posture). Results of other runs are not used.
    type: str
    required: true
  report_dir:
    description: Folder of the report on the controller; C(hosts/) below it holds what was measured.
    type: path
    default: report
  history:
    description: SQLite file that remembers the runs. C(history.sqlite) in O(report_dir) when left out.
    type: path
  fail_on:
    description: Severity from which on a failing control makes the verdict fail.
    type: str
    default: high
    choices: [critical, high, medium, low, info]
  min_coverage:
    description:
      - Share of the applicable controls of each host that must have been decided, in percent.
      - Below it the verdict is V(undecided), however good the score is.
    type: float
    default: 90
  fail_on_drift:
    description:
      - Kinds of drift that make a verdict V(drift) which would be good otherwise.
      - V(verdict) is a control that is in another state, V(value) one that passes with another value, V(catalogue) one
        that another version of the control judges otherwise on the evidence of then.
      - The accepted baseline is what it is compared with, or the run before where there is none.
    type: list
    elements: str
    choices: [verdict, value, catalogue]
    default: []
  formats:
    description:
      - Further formats to write beside the report.
      - V(oscal) is OSCAL 1.2.1 (catalogue, component definition, assessment plan, assessment results, and a POA&M when
        anything is open), V(ocsf) events of OCSF as lines of JSON, V(sarif) a SARIF 2.1.0 log.
    type: list
    elements: str
    choices: [oscal, ocsf, sarif]
    default: []
  signing_key:
    description:
      - Private key of OpenSSH on the controller without passphrase, or the public half of one in the ssh agent. The
        record of the run in the history is signed with it; C(rampart report --verify) checks it.
    type: path
  fail:
    description:
      - Whether the task fails when the verdict is not good.
      - A report or a history that cannot be written fails it always.
    type: bool
    default: true
  title:
    description: Title of the report.
    type: str
    default: Fleet posture
  max_lines:
    description: How many failures the message names; it counts the rest.
    type: int
    default: 20
attributes:
  action:
    description: Runs on the controller alone.
    support: full
  check_mode:
    description: Changes no managed host, so that check mode writes the report as well.
    support: full
  diff_mode:
    description: There is no state to compare.
    support: none
author:
  - The Rampart authors (@rampart)
"""

EXAMPLES = r"""
- name: The report is written and the verdict given
  rampart.fleet.posture_report:
    run_id: "{{ rampart_run_id }}"
    report_dir: /var/lib/rampart/report
    fail_on: high
  run_once: true
  delegate_to: localhost
  register: posture

- name: The verdict is left to the next job of a workflow
  ansible.builtin.set_stats:
    data:
      rampart_posture: "{{ posture.verdict }}"
"""

RETURN = r"""
verdict:
  description: The decision about the fleet; small enough for C(set_stats).
  returned: when the report was written
  type: dict
  sample: {state: fail, exit_code: 1, fail_on: high, score: 94.1, coverage: 98.2, counts: {pass: 441, fail: 25}}
run_id:
  description: The run that was reported.
  returned: when the report was written
  type: str
  sample: 20260305T120000Z-1a2b3c
files:
  description: The files of the report.
  returned: when the report was written
  type: list
  elements: str
  sample: [/srv/report/index.html, /srv/report/posture.json, /srv/report/posture.xml, /srv/report/posture.prom]
sha256:
  description: SHA-256 of posture.json, to check a copy of the report by.
  returned: when the report was written
  type: str
  sample: 9f2c6f0e6b1f
chain:
  description: The end of the history's chain of records; kept elsewhere, it shows when the history was cut off.
  returned: when the report was written; null when the history could not be used
  type: dict
  sample: {position: 12, sha256: 5b1f0c, signed: true}
new_failures:
  description: How many controls fail that did not in the run before; null without one.
  returned: when the report was written
  type: int
  sample: 0
"""
