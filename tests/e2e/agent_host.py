# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The part of `agent.py` that runs on the host under test: measures and runs scripts for as long as its input lasts.

Every measurement is a process of its own, forked from one that has read the probes already: nothing that one of them
remembers reaches the next. Requests and answers are lines of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from typing import Any

Request = dict[str, Any]


def serve() -> None:
    """Answer each line of standard input with one line."""
    answers = {"measure": measured, "shell": shell}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = answers[request["do"]](request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def shell(request: Request) -> Request:
    """Run a script as a person would: `sh -euc`, with its own process group, which a time-out ends."""
    # What a script starts and leaves may keep its output open: a file does not wait for that, a pipe would.
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            ["sh", "-euc", request["script"]],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd="/", start_new_session=True,
        )  # fmt: skip
        try:
            status = process.wait(request["timeout_s"])
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            status = 124
        output.seek(0)
        return {"status": status, "output": output.read().decode("utf-8", "replace")}


def measured(request: Request) -> Request:
    """Measure in a child; what it leaves is the answer."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(request, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        content = pipe.read()
    _unused, status = os.waitpid(child, 0)
    if status or not content:
        return {"error": f"the measurement ended with status {status}"}
    answer: Request = json.loads(content)
    return answer


def _child(request: Request, writing: int) -> None:
    status = 1
    try:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(json.dumps(_observed(request)).encode())
        status = 0
    finally:
        # No handler of the parent's runs, and threads that are stuck do not hold the process.
        os._exit(status)


def _observed(request: Request) -> Request:
    from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import LocalHost
    from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import Request as Wanted
    from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import measure
    from ansible_collections.rampart.fleet.plugins.module_utils.posture.pace import pace
    from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes import kinds
    from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.look import look

    wanted = [Wanted(one["key"], one["kind"], one["params"], one["timeout_s"]) for one in request["probes"]]
    if request.get("sabotage"):
        return _blinded(request, wanted)
    real = LocalHost(pace=pace())
    budget, target = real.stretched(request["timeout_s"]), request.get("target")
    found = look(real, wanted, target, budget) if target else measure(real, wanted, kinds(), budget)
    return {"observations": {key: observation.to_json() for key, observation in found.items()}}


def _blinded(request: Request, wanted: list[Any]) -> Request:
    from agent_sabotage import Trace, host, watched
    from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import measure
    from ansible_collections.rampart.fleet.plugins.module_utils.posture.pace import pace
    from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes import kinds

    trace = Trace()
    with host(request["sabotage"], trace, pace()) as spoilt:
        found = measure(spoilt, wanted, watched(kinds(), trace), request["timeout_s"])
    return {
        "observations": {key: observation.to_json() for key, observation in found.items()},
        "rests_on": {key: sorted(leaves) for key, leaves in trace.found.items()},
    }
