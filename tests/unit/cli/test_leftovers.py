# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""An interrupted run takes the workers with it that ansible-playbook forgot, and nobody else's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rampart.runner.leftovers import end_leftovers


def start(program: Path, folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "AWX_ISOLATED_DATA_DIR": f"{folder}/artifacts/one"}
    return subprocess.Popen(
        [sys.executable, str(program)], env=environment, start_new_session=True, stdout=subprocess.PIPE
    )


def test_the_workers_of_this_run_end_and_others_go_on(tmp_path: Path) -> None:
    forgotten, other = tmp_path / "ansible-playbook", tmp_path / "ssh"
    for program in (forgotten, other):
        program.write_text("import time\nprint('here', flush=True)\ntime.sleep(300)\n")
    mine, theirs = tmp_path / "run-1", tmp_path / "run-11"
    left = start(forgotten, mine)
    spared = [start(forgotten, theirs), start(other, mine)]
    try:
        for process in (left, *spared):
            assert process.stdout is not None
            process.stdout.readline()
        end_leftovers(mine)
        assert left.wait(timeout=30) == -9
        assert [process.poll() for process in spared] == [None, None]
    finally:
        for process in (left, *spared):
            process.kill()
            process.communicate()
