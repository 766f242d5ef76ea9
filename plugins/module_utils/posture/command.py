# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Run one command to its end or to its time limit, and leave no process of it behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError, ProbeTimeout
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import CommandResult

MAX_OUTPUT_CHARS = 16 * 1024 * 1024
_REAP_S = 1.0


def run_command(tool: str, argv: tuple[str, ...], timeout: float, stdin: str, path: str) -> CommandResult:
    """Run the executable `tool` with `argv`; ProbeTimeout after `timeout` seconds, with its process group killed.

    The environment is empty but for PATH, LC_ALL=C and HOME, so that nothing of the caller's leaks into a measurement.
    """
    line = " ".join(argv)
    process = _start(tool, argv, path)
    try:
        out, err = process.communicate(stdin.encode(), timeout=timeout)
    except subprocess.TimeoutExpired:
        _kill_group(process)
        raise ProbeTimeout(f"'{line}' did not end within {timeout:.1f} s") from None
    if len(out) > MAX_OUTPUT_CHARS:
        raise ProbeError(f"'{line}' printed more than {MAX_OUTPUT_CHARS} bytes")
    return CommandResult(argv, process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def _start(tool: str, argv: tuple[str, ...], path: str) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [tool, *argv[1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env={"PATH": path, "LC_ALL": "C", "HOME": "/"},
            start_new_session=True,
        )
    except OSError as refused:
        raise ProbeError(f"'{tool}' cannot be started: {refused.strerror or refused}") from None


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    try:
        process.communicate(timeout=_REAP_S)
    except subprocess.TimeoutExpired:
        # A child in uninterruptible sleep (a dead network mount) cannot be reaped now; its pipes must not be held.
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
