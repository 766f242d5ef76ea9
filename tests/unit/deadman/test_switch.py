# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The rollback: armed before a change, won by exactly one of confirming and rolling back."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.deadman.operator import Operator, operator
from ansible_collections.rampart.fleet.plugins.module_utils.deadman.plan import DeadMan
from ansible_collections.rampart.fleet.plugins.module_utils.deadman.switch import RollbackError, Switch


class Systemd:
    """Records commands; `start` may fail."""

    def __init__(self, rc: int = 0) -> None:
        self.rc, self.asked = rc, [""]

    def __call__(self, argv: Sequence[str]) -> tuple[int, str, str]:
        self.asked.append(" ".join(argv))
        return (self.rc, "", "no bus") if argv[0] == "systemd-run" else (0, "", "")


def switch(tmp_path: Path, systemd: Systemd) -> Switch:
    return Switch(DeadMan("test", 60), systemd, str(tmp_path))


def undo(tmp_path: Path, made: Switch) -> int:
    """Run the script as the timer would, with its paths under the root of the test."""
    script = made.path(made.plan.folder + "/undo").read_text().replace("/run/rampart", f"{tmp_path}/run/rampart")
    return subprocess.run(["/bin/sh", "-c", script], check=False).returncode


def test_the_timer_is_exact() -> None:
    assert "--timer-property=AccuracySec=100ms" in DeadMan("x", 60).start()
    assert "--on-active=60s" in DeadMan("x", 60).start()


@pytest.mark.parametrize(("name", "seconds"), [("../x", 60), ("a b", 60), ("x", 4), ("x", 3601)])
def test_names_and_times_that_cannot_be_meant_are_refused(name: str, seconds: int) -> None:
    with pytest.raises(ValueError, match="wanted"):
        DeadMan(name, seconds)


def test_a_confirmed_change_is_not_taken_back(tmp_path: Path) -> None:
    made = switch(tmp_path, Systemd())
    made.arm({"previous": "old"}, [f"touch {tmp_path}/undone"])
    assert made.pending
    assert made.confirm()
    assert undo(tmp_path, made) == 0
    assert not (tmp_path / "undone").exists()
    assert not made.confirm()


def test_an_unconfirmed_change_is_taken_back_once_and_cannot_be_confirmed_then(tmp_path: Path) -> None:
    made = switch(tmp_path, Systemd())
    made.arm({"previous": "old"}, ["false", f"echo once >> {tmp_path}/undone"])
    undo(tmp_path, made)
    undo(tmp_path, made)
    assert (tmp_path / "undone").read_text() == "once\n"
    with pytest.raises(RollbackError, match="was taken back"):
        made.confirm()


def test_without_a_timer_nothing_is_armed(tmp_path: Path) -> None:
    made = switch(tmp_path, Systemd(rc=1))
    with pytest.raises(RollbackError, match="nothing was changed: no bus"):
        made.arm({}, ["true"])
    assert not made.pending


def test_arming_again_keeps_the_last_good_state(tmp_path: Path) -> None:
    made = switch(tmp_path, Systemd())
    made.arm({"previous": "good"}, ["true"])
    made.arm({"previous": "unconfirmed"}, ["true"])
    assert made.path(made.plan.folder + "/previous").read_text() == "good"


def test_a_new_change_after_a_rollback_starts_anew(tmp_path: Path) -> None:
    made = switch(tmp_path, Systemd())
    made.arm({"previous": "one"}, ["true"])
    undo(tmp_path, made)
    made.arm({"previous": "two"}, ["true"])
    assert made.path(made.plan.folder + "/previous").read_text() == "two"
    assert made.confirm()


def test_the_snapshot_is_roots_alone(tmp_path: Path) -> None:
    made = switch(tmp_path, Systemd())
    made.arm({"previous": "secret"}, ["true"])
    assert made.path(made.plan.folder).stat().st_mode & 0o777 == 0o700
    assert made.path(made.plan.folder + "/previous").stat().st_mode & 0o777 == 0o600


PROC = {
    "/proc/40/environ": "PATH=/bin\0",
    "/proc/40/stat": "40 (python3 (x)) S 30 0",
    "/proc/30/environ": "SSH_CONNECTION=fe80::1%eth0 5000 10.0.0.2 2222\0USER=root\0",
    "/proc/30/stat": "30 (sudo) S 20 0",
    "/proc/20/environ": "SSH_CONNECTION=fe80::1%eth0 5000 10.0.0.2 2222\0USER=ops\0",
    "/proc/20/stat": "20 (sh) S 1 0",
}


def read(path: str) -> str:
    try:
        return PROC[path]
    except KeyError:
        raise FileNotFoundError(path) from None


def test_the_operator_is_who_logged_in_and_not_whom_sudo_made() -> None:
    assert operator(read, 40) == Operator("ops", "fe80::1", "10.0.0.2", 2222)


def test_a_process_that_ssh_did_not_start_has_no_operator() -> None:
    assert operator(lambda path: "A=b\0" if path.endswith("environ") else "9 (x) S 1 0", 9) is None
    assert operator(read, 99) is None
