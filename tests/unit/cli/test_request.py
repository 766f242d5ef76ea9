# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The request: options of ansible-playbook, the plain command, and settings where there is no ansible.cfg."""

from __future__ import annotations

import shlex
from pathlib import Path

from rampart.runner.request import PlayRequest, default_settings


def test_the_plain_command_survives_a_shell() -> None:
    request = PlayRequest(
        "rampart.fleet.site",
        ("my hosts.yml",),
        limit="gpu*",
        tags="firewall",
        check=True,
        diff=True,
        forks=7,
        verbosity=2,
        extra_vars=("a='b c'", '{"d": 1}'),
        settings={"ANSIBLE_PIPELINING": "True"},
    )
    assert shlex.split(request.plain_command()) == [
        "ANSIBLE_PIPELINING=True",
        "ansible-playbook",
        *("--inventory", "my hosts.yml", "--limit", "gpu*", "--tags", "firewall", "--forks", "7"),
        *("--extra-vars", "a='b c'", "--extra-vars", '{"d": 1}', "--check", "--diff", "-vv", "rampart.fleet.site"),
    ]


def test_options_that_were_not_given_are_not_passed() -> None:
    assert PlayRequest("p", ("i",)).options() == ["--inventory", "i"]


def test_settings_fill_in_only_where_the_user_has_no_configuration(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    environ = {"HOME": str(tmp_path / "home")}
    if not Path("/etc/ansible/ansible.cfg").exists():
        assert default_settings(tmp_path, environ)["ANSIBLE_PIPELINING"] == "True"
        assert "ANSIBLE_FORKS" not in default_settings(tmp_path, {**environ, "ANSIBLE_FORKS": "3"})
    assert default_settings(tmp_path, {**environ, "ANSIBLE_CONFIG": "/x"}) == {}
    (tmp_path / "ansible.cfg").write_text("[defaults]\n")
    assert default_settings(tmp_path, environ) == {}
