# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Who gets in by a stack of PAM: libpam's rules, and what makes a folder of services unfit."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.pam.login import Saved, undo
from ansible_collections.rampart.fleet.plugins.module_utils.pam.simulate import (
    UnknownControl,
    decide,
    locked,
    right_secret,
    wrong_secret,
)
from ansible_collections.rampart.fleet.plugins.module_utils.pam.stacks import (
    StackError,
    flat,
    modules,
    problems,
    resolve,
)

AUTH = (
    "auth requisite pam_faillock.so preauth silent\nauth [success=2 default=ignore] pam_unix.so try_first_pass\n"
    "auth [default=die] pam_faillock.so authfail\nauth requisite pam_deny.so\nauth required pam_permit.so\n"
)
UNLOCKED = AUTH.replace("requisite pam_faillock", "optional pam_faillock")
ACCOUNT = (
    "account required pam_faillock.so\naccount [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\n"
    "account requisite pam_deny.so\naccount required pam_permit.so\n"
)
GOOD = {"common-auth": AUTH, "common-account": ACCOUNT, "sudo": "@include common-auth\n@include common-account\n"}


def decisions(text: str) -> tuple[bool, bool, bool]:
    stack = resolve({"x": text}, "x", "auth")
    return decide(stack, right_secret), decide(stack, wrong_secret), decide(stack, locked)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(AUTH, (True, False, False), id="hardened"),
        pytest.param("auth sufficient pam_permit.so\n" + AUTH, (True, True, True), id="a line before"),
        pytest.param(AUTH.replace("default=ignore", "default=2"), (True, True, False), id="a jump for everybody"),
        pytest.param(AUTH.replace("success=2", "success=1"), (False, False, False), id="a jump too short"),
        pytest.param(AUTH.replace("success=2", "success=9"), (False, False, False), id="a jump over the end"),
        pytest.param(UNLOCKED, (True, False, True), id="no lock"),
        pytest.param("auth required pam_permit.so\n", (True, True, True), id="everybody"),
        pytest.param("auth required pam_deny.so\n", (False, False, False), id="nobody"),
        pytest.param("auth sufficient pam_rootok.so\nauth required pam_unix.so\n", (True, False, True), id="su"),
        pytest.param("auth optional pam_faildelay.so\n", (True, False, True), id="says nothing"),
        pytest.param("auth sufficient pam_wheel.so trust\nauth required pam_unix.so\n", (True, True, True), id="trust"),
        pytest.param("auth [default=reset] pam_unix.so\nauth required pam_permit.so\n", (True, True, True), id="reset"),
        pytest.param("auth required pam_unix.so\nauth sufficient pam_permit.so\n", (True, False, True), id="too late"),
    ],
)  # fmt: skip
def test_a_stack_decides_as_libpam_does(text: str, expected: tuple[bool, bool, bool]) -> None:
    assert decisions(text) == expected


@pytest.mark.parametrize("control", ["mandatory", "[success=perhaps]"])
def test_a_control_that_libpam_does_not_know_is_no_decision(control: str) -> None:
    with pytest.raises(UnknownControl, match=r"no (control|action) of PAM"):
        decide([{"control": control, "module": "pam_unix.so", "args": []}], right_secret)


def test_a_fit_folder_has_no_problems() -> None:
    assert problems(GOOD, GOOD) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"common-auth": AUTH.replace("success=2", "success=1")}, "the auth stack of sudo would refuse everybody"),
        ({"common-auth": "auth required pam_permit.so\n"}, "the auth stack of sudo would let in with a wrong password"),
        ({"common-auth": UNLOCKED}, "sudo would let a locked account in"),
        ({"common-account": "account required pam_deny.so\n"}, "the account stack of sudo would refuse everybody"),
        ({"common-auth": "auth required\n"}, "the PAM service 'common-auth' has a line that is none"),
        ({"sudo": "@include missing\n"}, "the PAM service 'missing' is included and does not exist"),
    ],
)  # fmt: skip
def test_an_unfit_folder_says_what_would_go_wrong(change: dict[str, str], problem: str) -> None:
    assert any(problem in text for text in problems({**GOOD, **change}, GOOD))


def test_what_refuses_everybody_today_may_go_on_doing_so() -> None:
    today = {**GOOD, "closed": "auth required pam_deny.so\n"}
    assert problems(today, today) == []


def test_a_service_that_includes_itself_is_no_stack() -> None:
    with pytest.raises(StackError, match="includes itself"):
        resolve({"x": "@include x\n"}, "x", "auth")


def test_modules_that_may_be_missing_are_not_asked_for() -> None:
    text = "-session optional pam_systemd.so\nsession required pam_unix.so # why\nsession include other\n"
    assert modules({"x": text}) == {"pam_unix.so": "x"}


def test_the_way_back_moves_every_file_and_removes_what_was_not_there() -> None:
    saved: Any = Saved({"file-0": "a"}, {"file-0": ("/etc/sudoers.d/rampart", 0o440)}, ("/etc/pam.d/new",))
    assert undo(saved, "/run/x") == [
        "install -m 0440 /run/x/file-0 /etc/sudoers.d/.rampart.rampart-undo"
        " && mv -T /etc/sudoers.d/.rampart.rampart-undo /etc/sudoers.d/rampart",
        "rm -f /etc/pam.d/new",
    ]


def test_a_flat_stack_includes_nothing_and_decides_the_same() -> None:
    text = flat(GOOD, "sudo", "auth")
    assert text.splitlines()[1] == "auth [success=2 default=ignore] pam_unix.so try_first_pass"
    assert resolve({"x": text}, "x", "auth") == resolve(GOOD, "sudo", "auth")
