# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Settings against what an sshd knows, and against what it then says is in force."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.sshd.config import Directive
from ansible_collections.rampart.fleet.plugins.module_utils.sshd.effective import (
    context_argument,
    differences,
    key_files,
    match_contexts,
    parse,
)
from ansible_collections.rampart.fleet.plugins.module_utils.sshd.lockout import Account, reasons
from ansible_collections.rampart.fleet.plugins.module_utils.sshd.settings import SettingsError, render, supported

KNOWN = {"Ciphers": ["aes256-gcm@openssh.com", "aes128-ctr"]}
KEYWORDS = ["ciphers", "permitrootlogin", "port"]
OPS = Account("ops", ("ops", "sudo"), has_key=True, can_sudo=True)
STRICT: dict[str, Any] = {"permitrootlogin": "no", "passwordauthentication": "no"}


def test_algorithms_that_this_sshd_does_not_have_are_left_out_and_named() -> None:
    kept, left_out = supported({"Ciphers": ["new@x", "aes256-gcm@openssh.com"]}, KNOWN, KEYWORDS, [])
    assert kept == {"Ciphers": ["aes256-gcm@openssh.com"]}
    assert left_out == ["new@x of Ciphers"]


def test_a_list_that_would_be_empty_is_an_error_because_sshd_would_offer_its_default() -> None:
    with pytest.raises(SettingsError, match="knows none of new@x"):
        supported({"Ciphers": ["new@x"]}, KNOWN, KEYWORDS, [])


def test_only_optional_keywords_may_be_unknown() -> None:
    kept, _ = supported(
        {"RequiredRSASize": 3072, "PermitRoot": False, "Port": None}, KNOWN, KEYWORDS, ["RequiredRSASize"]
    )
    assert kept == {"PermitRoot": False}


def test_rendering_says_yes_and_no_and_keeps_one_keyword_a_line() -> None:
    text = render({"UsePAM": True, "Ciphers": ["a", "b"], "Port": [22, 2222], "AllowGroups": ["x", "y"]}, "Head.\n")
    assert text == "# Head.\nUsePAM yes\nCiphers a,b\nPort 22\nPort 2222\nAllowGroups x y\n"


def test_a_value_cannot_smuggle_in_a_second_keyword() -> None:
    with pytest.raises(SettingsError, match="more than one line"):
        render({"Banner": "none\nPermitRootLogin yes"}, "")


def test_the_answer_of_sshd_is_typed() -> None:
    text = "port 22\nport 2222\nmaxauthtries 4\nciphers a,b\nacceptenv LANG\nmaxstartups 10:30:60\n"
    text += "authorizedkeysfile a b\n"
    assert parse(text) == {
        "port": [22, 2222], "maxauthtries": 4, "ciphers": ["a", "b"], "acceptenv": ["LANG"],
        "maxstartups": "10:30:60", "authorizedkeysfile": ["a", "b"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "different"),
    [
        ({"PermitRootLogin": False}, False),
        ({"PermitRootLogin": "prohibit-password"}, True),
        ({"Port": 22}, False),
        ({"Port": 2222}, True),
        ({"Ciphers": ["a", "b"]}, False),
        ({"Ciphers": ["b", "a"]}, True),
        ({"LogLevel": "verbose"}, False),
        ({"Missing": "x"}, True),
    ],
)
def test_differences_are_of_meaning(wanted: dict[str, Any], different: bool) -> None:
    effective = {"permitrootlogin": "no", "port": [22], "ciphers": ["a", "b"], "loglevel": "VERBOSE"}
    assert bool(differences(effective, wanted)) is different


def test_the_old_name_of_prohibit_password_is_the_same() -> None:
    assert differences({"permitrootlogin": "without-password"}, {"PermitRootLogin": "prohibit-password"}) == {}


def test_a_context_names_every_criterion_since_sshd_refuses_a_match_on_a_missing_one() -> None:
    assert context_argument({"user": "root", "addr": "10.0.0.1"}) == (
        "user=root,host=10.0.0.1,addr=10.0.0.1,laddr=198.51.100.2,lport=22"
    )


@pytest.mark.parametrize(
    ("criteria", "context"),
    [
        ("User deploy,root", {"user": "deploy"}),
        ("Group admins", {"user": "anna"}),
        ("User !root,* Address 10.1.0.0/16", {"user": "x", "addr": "10.1.0.1"}),
        ("Address 10.0.*", {"addr": "10.0.1.1"}),
        ("LocalPort 2222", {"lport": 2222}),
        ("All", {}),
    ],
)
def test_a_context_is_made_up_for_each_match_block(criteria: str, context: dict[str, Any]) -> None:
    found = [Directive("f", 1, "match", criteria, criteria)]
    assert match_contexts(found, {"admins": ["anna", "ben"]}) == [context]


def test_an_operator_with_key_and_sudo_comes_back() -> None:
    assert reasons(STRICT, OPS) == []


@pytest.mark.parametrize(
    ("effective", "account", "message"),
    [
        (STRICT, replace(OPS, name="root"), "connected as root"),
        (STRICT, replace(OPS, has_key=False), "no authorized key"),
        (STRICT, replace(OPS, can_sudo=False), "cannot become root"),
        ({**STRICT, "allowgroups": ["admins"]}, OPS, "AllowGroups would be admins"),
        ({**STRICT, "allowusers": ["root"]}, OPS, "AllowUsers would be root"),
    ],
)
def test_an_operator_who_could_not_come_back_is_told_why(
    effective: dict[str, Any], account: Account, message: str
) -> None:
    assert message in "; ".join(reasons(effective, account))


@pytest.mark.parametrize("groups", [["sud*"], ["admins", "ops"]])
def test_group_patterns_let_in(groups: list[str]) -> None:
    assert reasons({**STRICT, "allowgroups": groups}, OPS) == []


def test_passwords_or_a_key_command_are_another_way_in() -> None:
    keyless = replace(OPS, has_key=False)
    assert reasons({**STRICT, "passwordauthentication": "yes"}, keyless) == []
    assert reasons({**STRICT, "authorizedkeyscommand": "/usr/bin/sss_ssh_authorizedkeys"}, keyless) == []


def test_tokens_of_key_files_are_put_in() -> None:
    assert key_files(["%h/.ssh/a", ".ssh/b", "/etc/keys/%u", "none", "/k/%%x"], "ops", "/home/ops") == [
        "/etc/keys/ops", "/home/ops/.ssh/a", "/home/ops/.ssh/b", "/k/%x",
    ]  # fmt: skip
