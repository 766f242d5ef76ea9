# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A client of QEMU's machine protocol (QMP): one connection, one command at a time."""

from __future__ import annotations

import json
import re
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from rampart.lab.errors import LabError

_FORWARD = re.compile(r"TCP\[HOST_FORWARD]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s")


class Qmp:
    """`with Qmp(path) as qmp: qmp.execute("quit")`. QEMU serves one client at a time; the others wait."""

    def __init__(self, path: Path, seconds: float = 30.0) -> None:
        self._path = path
        self._seconds = seconds

    def __enter__(self) -> Qmp:
        end = time.monotonic() + self._seconds
        while True:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(self._seconds)
            try:
                self._socket.connect(str(self._path))
                break
            except OSError as exc:
                self._socket.close()
                if time.monotonic() > end:
                    raise LabError(f"QEMU does not answer at {self._path}: {exc}; see the log beside it") from exc
                time.sleep(0.05)
        self._stream = self._socket.makefile("r", encoding="utf-8")
        self._read()  # greeting
        self.execute("qmp_capabilities")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        self._socket.close()

    def execute(self, command: str, **arguments: Any) -> Any:
        """The command's return value; LabError with QEMU's own words when it refuses."""
        request: dict[str, Any] = {"execute": command}
        if arguments:
            request["arguments"] = {key.replace("_", "-"): value for key, value in arguments.items()}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = self._read()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise LabError(f"QEMU refuses {command}: {answer['error'].get('desc', answer['error'])}")

    def forwarded_port(self) -> int:
        """The port on 127.0.0.1 that leads to the guest's ssh."""
        return parse_forward(self.execute("human-monitor-command", command_line="info usernet"))

    def _read(self) -> dict[str, Any]:
        try:
            line = self._stream.readline()
        except OSError as exc:
            raise LabError(f"QEMU at {self._path} does not answer: {exc}") from exc
        if not line:
            raise LabError(f"QEMU at {self._path} closed the connection; see the log beside it")
        answer: dict[str, Any] = json.loads(line)
        return answer


def parse_forward(text: str) -> int:
    """The host's port from the monitor's `info usernet`."""
    match = _FORWARD.search(text)
    if not match:
        raise LabError(f"QEMU forwards no port; `info usernet` says: {text.strip()!r}")
    return int(match[1])
