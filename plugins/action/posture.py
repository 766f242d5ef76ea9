# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Action of rampart.fleet.posture: the controller chooses what to measure and judges what the host answers."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import Request
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import SEVERITIES, Observation, Result, Waiver
from ansible_collections.rampart.fleet.plugins.module_utils.posture.parameters import setting_problems
from ansible_collections.rampart.fleet.plugins.plugin_utils.aside import Aside, AsideFailed
from ansible_collections.rampart.fleet.plugins.plugin_utils.module_answer import told_by
from ansible_collections.rampart.fleet.plugins.plugin_utils.payload_cache import PayloadCache, default_payloads
from ansible_collections.rampart.fleet.plugins.plugin_utils.peer_connection import connection_to
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture import assessment, catalogue, vantage, waivers
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.catalogue_cache import default_cache
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.collection import collection_version
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.text import simulated
from ansible_collections.rampart.fleet.plugins.plugin_utils.role_specs import collection_root

_MODES = ("inference", "training", "idle", "quarantine")
_SHOWN_FAILURES = 20
_CLOCK_LIMIT_S = 300.0
_NO_PYTHON = re.compile(
    r"interpreter .*not found|python[0-9.]*['\"]?:? (command )?not found|No such file.*python", re.I | re.S
)


class ActionModule(ActionBase):
    """Measure one host in one module call, judge here, and keep the evidence in a file."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the figures; failed when the controls, the waivers or the host cannot be used."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = self._arguments(task_vars or {})
        try:
            files = catalogue.sources(collection_root(), [Path(path) for path in arguments["catalogue_paths"]])
            controls = catalogue.load(files, default_cache())
            entries = controls.select(arguments["roles"], arguments["ids"], arguments["areas"])
            known = frozenset(str(entry.control["id"]) for entry in controls.entries)
            exceptions = waivers.load_waivers(arguments["waivers"], known)
            self._check_parameters(arguments["parameters"], controls)
        except (catalogue.CatalogueError, waivers.WaiverError) as error:
            raise AnsibleActionFail(str(error)) from None
        if not entries:
            raise AnsibleActionFail(f"roles {arguments['roles']} have no controls: nothing could be measured")
        subject = self._subject(arguments, task_vars or {}, controls.sha256)
        found = self._assess(subject, entries, exceptions, arguments, task_vars or {})
        content = assessment.document(subject, entries, found, exceptions)
        try:
            path = assessment.write_host_file(Path(arguments["report_dir"]), content)
        except OSError as error:
            raise AnsibleActionFail(f"the evidence cannot be kept under {arguments['report_dir']}: {error}") from None
        result.update(changed=False, evidence=str(path), **_told(content["host"], found))
        return result

    def _arguments(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        _unused, arguments = self.validate_argument_spec(
            {
                "roles": {"type": "list", "elements": "str", "default": self._variable(task_vars, "rampart_roles")},
                "mode": {"type": "str", "choices": _MODES, "default": self._variable(task_vars, "rampart_mode")},
                "run_id": {"type": "str"},
                "report_dir": {"type": "path", "default": "report"},
                "waivers": {"type": "list", "elements": "path", "default": []},
                "ids": {"type": "list", "elements": "str", "default": []},
                "areas": {"type": "list", "elements": "str", "default": []},
                "catalogue_paths": {
                    "type": "list",
                    "elements": "path",
                    "default": self._variable(task_vars, "posture_catalogue_paths") or [],
                },
                "timeout_s": {"type": "float", "default": 60.0},
                "parameters": {"type": "dict", "default": {}},
                "vantage": {"type": "dict", "default": {}},
                "points": {"type": "list", "elements": "str"},
            }
        )
        for name, variable in (("roles", "rampart_roles"), ("mode", "rampart_mode")):
            if not arguments[name]:
                raise AnsibleActionFail(f"{name} is not given and the host has no {variable}: set it in the inventory")
        return dict(arguments)

    def _variable(self, task_vars: dict[str, Any], name: str) -> Any:
        return self._templar.template(task_vars[name]) if name in task_vars else None

    def _subject(self, arguments: dict[str, Any], task_vars: dict[str, Any], sha256: str) -> assessment.Subject:
        started = datetime.now(UTC)
        return assessment.Subject(
            name=str(task_vars["inventory_hostname"]),
            mode=str(arguments["mode"]),
            roles=tuple(str(role) for role in arguments["roles"]),
            run_id=str(arguments["run_id"] or started.strftime("%Y%m%dT%H%M%SZ")),
            started=started,
            collection_version=collection_version(collection_root()),
            catalogue_sha256=sha256,
        )

    def _assess(
        self,
        subject: assessment.Subject,
        entries: Sequence[catalogue.Entry],
        exceptions: Sequence[Waiver],
        arguments: dict[str, Any],
        task_vars: dict[str, Any],
    ) -> assessment.Assessment:
        payloads = PayloadCache(default_payloads(), collection_root())
        payloads.lend()
        # The other host looks while this one is measured: each of the two spends most of its time waiting.
        with Aside(lambda: self._seen(entries, arguments, task_vars)) as looking:
            asked = time.time()
            answer = self._execute_module(
                module_name="rampart.fleet.posture",
                module_args={
                    "probes": [one.to_json() for one in assessment.requests_for(entries)],
                    "timeout_s": arguments["timeout_s"],
                },
                task_vars=task_vars,
            )
            if answer.get("failed") or "observations" not in answer:
                return assessment.failed(_why(answer, task_vars))
            if wrong := _clock_problem(float(answer["clock"]), asked, time.time()):
                Display().warning(f"{subject.name}: {wrong}")
            try:
                answers = {**arguments["vantage"], **looking.result(), **json.loads(answer["observations"])}
            except AsideFailed as failure:
                return assessment.failed(f"the look from outside failed: {failure}")
        payloads.keep()
        observations = {key: Observation.from_json(found) for key, found in answers.items()}
        return assessment.judge(subject, entries, observations, exceptions, arguments["parameters"])

    def _seen(
        self, entries: Sequence[catalogue.Entry], arguments: dict[str, Any], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        """Return what the first of the points that answers sees of the host, in the stored form."""
        points, requests = arguments["points"], assessment.vantage_requests(entries)
        if points is None or not requests:
            return {}
        for point in points or [""]:
            try:
                return self._look(point, requests, arguments, task_vars)
            except AnsibleConnectionFailure:
                continue
        reason = f"no answer from {' and '.join(points)}"
        return {key: found.to_json() for key, found in vantage.unseen(requests, reason).items()}

    def _look(
        self, point: str, requests: Sequence[Request], arguments: dict[str, Any], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        """Carry out rampart.fleet.posture_vantage, on the host `point` or, without one, from here."""
        task = self._task.copy()
        task.args = {"roles": arguments["roles"], "point": point}
        task.become, task.delegate_to = False, point or None
        connection = self._connection
        if point:
            peer = task_vars["hostvars"][point]
            connection = connection_to(point, peer, self._play_context, task)
            task_vars = {**task_vars, "ansible_delegated_vars": {point: peer}}
        action = self._shared_loader_obj.action_loader.get(
            "rampart.fleet.posture_vantage",
            task=task,
            connection=connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        action.requests = requests
        answer: dict[str, Any] = action.run(task_vars=task_vars)
        if "observations" not in answer:
            raise AnsibleActionFail(f"{point or 'the controller'} gave no observations: {told_by(answer)}")
        return dict(answer["observations"])

    def _check_parameters(self, settings: dict[str, Any], controls: catalogue.Catalogue) -> None:
        known = {str(entry.control["id"]): entry.control for entry in controls.entries}
        problems = list(setting_problems(settings, known))
        if problems:
            raise AnsibleActionFail("\n  ".join(["the parameters of controls cannot be used:", *problems]))


def _clock_problem(clock: float, asked: float, answered: float) -> str:
    """Return what is wrong with a host's clock, read between two moments of the controller; empty when nothing is."""
    ahead = clock - answered if clock > answered else min(0.0, clock - asked)
    if abs(ahead) <= _CLOCK_LIMIT_S:
        return ""
    off, side = timedelta(seconds=round(abs(ahead))), "ahead of" if ahead > 0 else "behind"
    return (
        f"its clock is {off} {side} the controller's, wanted 5 minutes at most: what it says of the ages "
        "of passwords, certificates and updates is of that day. Set the time of whichever is wrong; "
        "see control RMP-TIME-001 (role services)"
    )


def _why(answer: dict[str, Any], task_vars: dict[str, Any]) -> str:
    """Return why the module left no observations, in one line."""
    if _NO_PYTHON.search(told_by(answer)):
        interpreter = task_vars.get("ansible_python_interpreter") or "/usr/bin/python3"
        return f"the host has no usable Python interpreter at {interpreter}: install python3 on it"
    return f"the measurement failed: {told_by(answer)}"


def _told(host: dict[str, Any], found: assessment.Assessment) -> dict[str, Any]:
    """Return the short result: events of a run carry it for each host, so the evidence stays in the file."""
    if found.reason:
        return {"failed": True, "msg": found.reason}
    counted = ", ".join(f"{number} {state}" for state, number in host["counts"].items())
    bad = [one for one in found.results if one.state in ("fail", "error", "unknown", "conflict")]
    bad.sort(key=lambda one: SEVERITIES.index(one.severity))
    replayed = f" (simulated {', '.join(simulated(host))})" if simulated(host) else ""
    return {
        "score": host["score"],
        "coverage": host["coverage"],
        "counts": host["counts"],
        "failures": [_line(one) for one in bad[:_SHOWN_FAILURES]],
        "summary": f"{host['name']}{replayed}: score {host['score']}, coverage {host['coverage']}, {counted}",
    }


def _line(result: Result) -> str:
    return f"{result.id} {result.severity} {result.state}: {result.reason}"[:300]
