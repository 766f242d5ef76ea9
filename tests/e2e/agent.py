# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Break, heal and measure a lab host over one connection, in a fraction of the time that a run of Ansible takes.

Only tests use it. What is measured is measured by the collection's own code, which travels to the host once, and judged
by the very functions of the action plugin; `test_mutations.py` compares the two ways for every family of controls.
"""

from __future__ import annotations

import base64
import io
import json
import subprocess
import tempfile
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import Request
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import Observation, Result
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture import assessment, catalogue, vantage
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.catalogue_cache import default_cache

from .fleet import BIN, CHECKOUT

_HOST_PARTS = [Path(__file__).with_name(name) for name in ("agent_host.py", "agent_sabotage.py")]
_PACKAGE = Path("ansible_collections/rampart/fleet")
_BUDGET_S = 60.0
_SCRIPT_S = 120.0
# The code stays in memory, so that no file of ours is on the host that is measured.
_START = """
import base64, json, os, sys
first = json.loads(sys.stdin.readline())
memory = os.memfd_create("measurer")
os.write(memory, base64.b64decode(first["archive"]))
sys.path.insert(0, f"/proc/self/fd/{memory}")
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes import kinds
kinds()
import agent_host
print(json.dumps({"ready": True}), flush=True)
agent_host.serve()
"""


class AgentError(Exception):
    """The connection is gone, or a script or a measurement failed on the host."""


class Agent:
    """One connection to a host of a lab, as root."""

    def __init__(self, lab: str, host: str) -> None:
        self.host = host
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the connection, see close
        self._process = subprocess.Popen(
            [BIN / "rampart", "lab", "exec", "--name", lab, host, "--", "python3", "-u", "-c", _START],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints, text=True,
        )  # fmt: skip
        self._ask({"archive": base64.b64encode(_archive()).decode()})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; the agent ends with its input."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._complaints.close()

    def shell(self, script: str, timeout_s: float = _SCRIPT_S) -> str:
        """Run a script as root and return what it printed; AgentError unless it ended well."""
        answer = self._ask({"do": "shell", "script": script, "timeout_s": timeout_s})
        if answer["status"] != 0:
            raise AgentError(f"{self.host}: {script!r} ended with {answer['status']}: {answer['output'].strip()}")
        return str(answer["output"])

    def measure(self, requests: Sequence[Request], target: Mapping[str, Any] | None = None) -> dict[str, Observation]:
        """Return what a fresh process on the host observed, by key; of itself, or of another host, the target."""
        return self._measured(requests, {"target": target})[0]

    def blinded(self, requests: Sequence[Request], sabotage: Mapping[str, Any]) -> dict[str, Observation]:
        """Return what it observed with tools, files or rights taken away, as `agent_sabotage.py` has it."""
        return self._measured(requests, {"sabotage": dict(sabotage)})[0]

    def traced(self, requests: Sequence[Request]) -> dict[str, frozenset[str]]:
        """Return what each observation rests on: `tool NAME` and `path PATH`, by key."""
        rests_on = self._measured(requests, {"sabotage": {"trace": True}})[1]
        return {key: frozenset(leaves) for key, leaves in rests_on.items()}

    def _measured(
        self, requests: Sequence[Request], how: Mapping[str, Any]
    ) -> tuple[dict[str, Observation], dict[str, list[str]]]:
        probes = [
            {"key": one.key, "kind": one.kind, "params": dict(one.params), "timeout_s": one.timeout_s}
            for one in requests
        ]
        answer = self._ask({"do": "measure", "probes": probes, "timeout_s": _BUDGET_S, **how})
        observations = {key: Observation.from_json(found) for key, found in answer["observations"].items()}
        return observations, answer.get("rests_on", {})

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise AgentError(f"{self.host}: the connection is gone{self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise AgentError(f"{self.host}: {answer['error']}")
        return answer

    def _last_words(self) -> str:
        """How the connection ended: its exit status and the end of what it said on standard error."""
        try:
            status = f": status {self._process.wait(5)}"
        except subprocess.TimeoutExpired:
            status = ": it closed its output and still runs"
        self._complaints.seek(0)
        said = self._complaints.read().strip()
        return f"{status}: {said[-1000:]}" if said else status


def _archive() -> bytes:
    """The code of the host's side as a zip archive that Python imports from."""
    sources = {str(_PACKAGE / path.relative_to(CHECKOUT)): path for path in _code()}
    folders = {str(parent) for name in sources for parent in Path(name).parents if str(parent) != "."}
    packages = {f"{folder}/__init__.py" for folder in folders} - set(sources)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in _HOST_PARTS:
            archive.write(part, part.name)
        for name, path in sorted(sources.items()):
            archive.write(path, name)
        for name in sorted(packages):
            archive.writestr(name, "")
    return buffer.getvalue()


def _code() -> list[Path]:
    return [path for path in (CHECKOUT / "plugins/module_utils").rglob("*.py") if "__pycache__" not in path.parts]


@dataclass(frozen=True)
class Outside:
    """Who looks at a host: another host of the lab, and the controller with the operator's key."""

    peer: Agent
    target: Mapping[str, Any]
    way: vantage.SshWay

    def look(self, requests: Sequence[Request]) -> dict[str, Observation]:
        """Return what is seen now, by key."""
        there, here = vantage.split(requests)
        attempts = vantage.Attempts(self.way, here)
        return {**self.peer.measure(there, self.target), **attempts.results()}


def usual_roles() -> tuple[str, ...]:
    """The roles that playbooks apply unless the inventory says otherwise."""
    variables = yaml.safe_load((CHECKOUT / "playbooks/group_vars/all.yml").read_text())
    return tuple(variables["rampart_roles"])


@dataclass(frozen=True)
class Measurer:
    """A host of a lab as the action plugin would judge it, in the mode that the inventory gives it."""

    agent: Agent
    mode: str
    outside: Outside | None = None
    roles: tuple[str, ...] = field(default_factory=usual_roles)

    def results(self, controls: Collection[str] | None = None, from_outside: bool = False) -> dict[str, Result]:
        """Measure now, all controls or these, and return what came of each; what is seen from outside if asked for."""
        entries = [
            entry
            for entry in self._catalogue.entries
            if (controls is None or str(entry.control["id"]) in controls)
            and (from_outside or not seen_from_outside(str(entry.control["id"])))
        ]
        observations = self.agent.measure(assessment.requests_for(entries))
        if from_outside and self.outside is not None:
            observations.update(self.outside.look(assessment.vantage_requests(entries)))
        return {result.id: result for result in self.judged(entries, observations).results}

    def states(self, controls: Collection[str] | None = None, from_outside: bool = False) -> dict[str, str]:
        """Measure now and return the states."""
        return {name: result.state for name, result in self.results(controls, from_outside).items()}

    def judged(
        self, entries: Sequence[catalogue.Entry], observations: Mapping[str, Observation]
    ) -> assessment.Assessment:
        """Judge what was observed, as the action plugin does."""
        subject = assessment.Subject(self.agent.host, self.mode, self.roles, "test", datetime.now(UTC), "", "")
        return assessment.judge(subject, entries, observations, ())

    @property
    def entries(self) -> tuple[catalogue.Entry, ...]:
        """The controls of the roles."""
        return self._catalogue.entries

    @cached_property
    def _catalogue(self) -> catalogue.Catalogue:
        loaded = catalogue.load(catalogue.sources(CHECKOUT), default_cache())
        return catalogue.Catalogue(loaded.select(self.roles), loaded.sha256)


def seen_from_outside(control: str) -> bool:
    """Say whether a control is about what another host sees: such a look takes a second, and few breakages need it."""
    return control.split("-")[1] == "VAN"
