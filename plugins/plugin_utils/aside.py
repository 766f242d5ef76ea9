# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Work that goes on in a process of its own while its caller waits for something else, such as another host."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any


class AsideFailed(Exception):
    """The work raised, or its process ended without an answer; the text says which."""


class Aside:
    """Starts at once; `result` waits. Leaving the context waits as well, so that no process is left behind.

    A process and not a thread: connections and templates of Ansible are made for one thing at a time.
    """

    def __init__(self, work: Callable[[], Any]) -> None:
        self._reading, writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _work_and_exit(work, writing)
        os.close(writing)
        self._said: bytes | None = None

    def __enter__(self) -> Aside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._wait()

    def result(self) -> Any:
        """Return what the work returned, as JSON has it; AsideFailed when there is nothing."""
        try:
            answer = json.loads(self._wait())
        except ValueError:
            raise AsideFailed("its process ended without an answer") from None
        if "failed" in answer:
            raise AsideFailed(answer["failed"])
        return answer["done"]

    def _wait(self) -> bytes:
        if self._said is None:
            with os.fdopen(self._reading, "rb") as stream:
                self._said = stream.read()
            os.waitpid(self._pid, 0)
        return self._said


def _work_and_exit(work: Callable[[], Any], writing: int) -> None:
    try:
        try:
            answer = json.dumps({"done": work()})
        except Exception as error:
            answer = json.dumps({"failed": f"{type(error).__name__}: {error}"})
        with os.fdopen(writing, "w", encoding="utf-8") as stream:
            stream.write(answer)
    finally:
        sys.stdout.flush()
        # Nothing of the caller's own runs here, neither its handlers at exit nor the code behind the fork.
        os._exit(0)
