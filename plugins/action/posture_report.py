# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Write the report of a run on the controller, and fail when the verdict is not good."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.rampart.fleet.plugins.plugin_utils.report import terminal
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.assemble import (
    KnownHost,
    RunInfo,
    assemble,
    load_host_files,
)
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.diff import DRIFTS
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.files import ReportUnwritable
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.formats.export import FORMATS
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.history import History
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.judge import judge
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.memory import without_cycle_search
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.publish import Published, publish
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.schema import ReportInvalid
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.signing import sign
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.summary import headline, problem_lines
from ansible_collections.rampart.fleet.plugins.plugin_utils.report.text import SEVERITIES

Json = dict[str, Any]

COLORS = {"good": "green", "bad": "red", "open": "yellow", "plain": None}


def _playbook() -> str:
    """Return the file names of the playbooks that ansible-playbook was given."""
    return ", ".join(Path(str(name)).name for name in context.CLIARGS.get("args") or ())


def _known(hosts: list[str], task_vars: Json) -> dict[str, KnownHost]:
    hostvars = task_vars.get("hostvars") or {}
    found = {}
    for name in hosts:
        variables = hostvars[name] if name in hostvars else {}  # noqa: SIM401  HostVars has no get
        found[name] = KnownHost(variables.get("rampart_mode"), str(variables.get("rampart_verify_failure") or ""))
    return found


def _screen() -> terminal.Screen:
    stream = sys.__stdout__ or sys.stdout
    encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "")
    return terminal.Screen(shutil.get_terminal_size((100, 24)).columns, encoding == "utf8")


class ActionModule(ActionBase):
    """The action of ``rampart.fleet.posture_report``; nothing runs on a managed host."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: Json | None = None) -> Json:
        """Return the verdict; see the module's documentation."""
        variables: Json = task_vars or {}
        result: Json = super().run(tmp, variables)
        arguments = self._arguments(variables)
        directory = Path(os.path.abspath(os.path.expanduser(arguments["report_dir"])))  # noqa: PTH100, PTH111  keeps links
        with without_cycle_search():
            published = self._publish(arguments, directory, variables)
            self._show(published.report, directory)
        return {**result, **self._outcome(published, directory, arguments)}

    def _publish(self, arguments: Json, directory: Path, variables: Json) -> Published:
        report = self._assemble(arguments, directory, variables)
        history = History(
            Path(arguments["history"]).expanduser() if arguments["history"] else directory / "history.sqlite"
        )
        key = arguments["signing_key"]
        try:
            return publish(
                report,
                directory,
                history,
                arguments["fail_on_drift"],
                partial(sign, key=Path(key)) if key else None,
                arguments["formats"],
            )
        except (ReportInvalid, ReportUnwritable) as error:
            raise AnsibleActionFail(str(error)) from error

    def _arguments(self, variables: Json) -> Json:
        specification = {
            "hosts": {"type": "list", "elements": "str"},
            "run_id": {"type": "str", "required": True},
            "report_dir": {"type": "path", "default": "report"},
            "history": {"type": "path"},
            "fail_on": {"type": "str", "default": "high", "choices": list(SEVERITIES)},
            "min_coverage": {"type": "float", "default": 90.0},
            "fail_on_drift": {"type": "list", "elements": "str", "default": [], "choices": list(DRIFTS)},
            "signing_key": {"type": "path"},
            "formats": {"type": "list", "elements": "str", "default": [], "choices": list(FORMATS)},
            "fail": {"type": "bool", "default": True},
            "title": {"type": "str", "default": "Fleet posture"},
            "max_lines": {"type": "int", "default": 20},
        }
        _unused, arguments = self.validate_argument_spec(argument_spec=specification)
        if arguments["hosts"] is None:
            arguments["hosts"] = list((variables.get("groups") or {}).get("rampart", []))
        if not arguments["hosts"]:
            raise AnsibleActionFail(
                "there is no host to report on: `hosts` is empty and the inventory has no host in group `rampart`; "
                "put the hosts of the fleet into that group"
            )
        return dict(arguments)

    def _assemble(self, arguments: Json, directory: Path, variables: Json) -> Json:
        run = RunInfo(
            id=arguments["run_id"],
            finished=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            title=arguments["title"],
            playbook=_playbook(),
            controller=platform.node(),
        )
        files, known = load_host_files(directory / "hosts"), _known(arguments["hosts"], variables)
        decide = partial(judge, min_coverage=arguments["min_coverage"])
        return assemble(files, arguments["hosts"], run, arguments["fail_on"], decide, known)

    def _show(self, report: Json, directory: Path) -> None:
        display, screen = Display(), _screen()
        display.display("")
        for line in terminal.render(report, screen):
            display.display(line.text, color=COLORS[line.tone])
        display.display(screen.fit(f"Report: {directory / 'index.html'}"))
        display.display("")

    def _outcome(self, published: Published, directory: Path, arguments: Json) -> Json:
        report, verdict = published.report, published.report["verdict"]
        changes = (report.get("changes") or {}).get("previous")
        outcome: Json = {
            "changed": False,
            "verdict": {key: verdict[key] for key in ("state", "exit_code", "fail_on", "score", "coverage", "counts")},
            "run_id": report["run"]["id"],
            "files": [str(path) for path in published.written],
            "sha256": hashlib.sha256((directory / "posture.json").read_bytes()).hexdigest(),
            "chain": published.head.to_json() if published.head else None,
            "new_failures": len(changes["new_failures"]) if changes else None,
            "msg": headline(report),
        }
        if verdict["state"] != "pass" and arguments["fail"]:
            outcome["failed"] = True
            outcome["msg"] = "\n".join([headline(report), *problem_lines(report, arguments["max_lines"])])
        if published.fault:
            outcome["failed"] = True
            outcome["msg"] = f"{outcome['msg']}\n{published.fault}. The report itself was written."
        return outcome
