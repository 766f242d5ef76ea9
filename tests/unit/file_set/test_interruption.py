# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A run that is ended in the middle takes its half of the set back, and what a killed one left goes with the next."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils import atomic

PROGRAM = """
import sys, json
from ansible.module_utils.testing import patch_module_args
from ansible_collections.rampart.fleet.plugins.modules import file_set
with patch_module_args(json.loads(sys.argv[1])):
    file_set.main()
"""


def start(files: list[dict[str, str]], **more: object) -> subprocess.Popen[str]:
    """Run the module in a process of its own, as a host does."""
    me = {"owner": str(os.getuid()), "group": str(os.getgid())}
    arguments = json.dumps({"files": [{**me, **entry} for entry in files], **more})
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip


def names(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["validate", "verify"])
def test_a_run_that_is_ended_takes_everything_back(tmp_path: Path, moment: str, number: signal.Signals) -> None:
    folder, here = tmp_path / "etc", tmp_path / "here"
    folder.mkdir()
    (folder / "old.conf").write_text("old\n")
    wait = f"sh -c 'touch {here}; sleep 60'"
    files = [{"path": f"{folder}/new.conf", "content": "new\n"}, {"path": f"{folder}/old.conf", "content": "newer\n"}]
    if moment == "validate":
        files[1]["validate"] = f"{wait} %s"
    process = start(files, **({"verify": [wait]} if moment == "verify" else {}))
    end = time.monotonic() + 60
    while not here.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert len(names(folder)) > 1
    process.send_signal(number)
    _out, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert number.name in err
    assert names(folder) == {"old.conf": "old\n"}


def test_the_next_run_clears_away_what_a_killed_one_left(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("right\n")
    (tmp_path / "a.conf").chmod(0o644)
    (tmp_path / ".a.conf.rampart-new").write_text("hal")
    process = start([{"path": f"{tmp_path}/a.conf", "content": "right\n"}])
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert json.loads(out)["changed"] is False
    assert names(tmp_path) == {"a.conf": "right\n"}


def test_replacing_a_file_leaves_nothing_beside_it_when_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sshd.conf"
    path.write_text("old")

    def terminated(_handle: int) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(atomic.os, "fsync", terminated)
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # without the handler of `replace` the test fails, and does not die
    try:
        with pytest.raises(SystemExit, match="SIGTERM"):
            atomic.replace(path, "new", 0o600)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert names(tmp_path) == {"sshd.conf": "old"}
