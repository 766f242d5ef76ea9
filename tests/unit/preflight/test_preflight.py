# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Every way an inventory can be wrong is named, with its place and the nearest right name."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.action.preflight import _violates
from ansible_collections.rampart.fleet.plugins.plugin_utils import preflight
from ansible_collections.rampart.fleet.plugins.plugin_utils.preflight import HostVariables
from ansible_collections.rampart.fleet.plugins.plugin_utils.role_specs import RoleSpec

SPECS = {
    "ssh_server": RoleSpec(
        "ssh_server",
        {
            "ssh_server_port": {"type": "int"},
            "ssh_server_users": {"type": "list", "elements": "str"},
            "ssh_server_log_level": {"type": "str", "choices": ["INFO", "VERBOSE"]},
            "ssh_server_options_default": {"type": "dict"},
        },
    ),
    "ssh": RoleSpec("ssh", {"ssh_agent": {"type": "bool"}}),
    "common": RoleSpec("common"),
}


def host(**values: Any) -> HostVariables:
    return HostVariables("gpu1", values, {"rampart_mode": "hosts.yml:7:5", "ssh_server_prot": "group_vars/gpu.yml:3:1"})


def test_a_good_inventory_has_no_problem() -> None:
    variables = host(rampart_mode="training", ssh_server_port=22, ssh_server_options_host={"x": 1}, common_thing=1)
    assert not preflight.check_mode(variables)
    assert not preflight.check_roles(variables, ["ssh_server"], SPECS)
    assert not preflight.check_unknown(variables, SPECS)
    assert not preflight.check_types(variables, SPECS, _violates)
    assert not preflight.check_fail_on(variables, "high")


def test_a_host_without_mode_is_named() -> None:
    (problem,) = preflight.check_mode(host())
    assert "host gpu1 has no rampart_mode" in str(problem)
    assert "inference, training, idle, quarantine" in str(problem)


def test_an_unknown_mode_gives_its_place_and_the_nearest_mode() -> None:
    (problem,) = preflight.check_mode(host(rampart_mode="trainnig"))
    assert "hosts.yml:7:5" in str(problem)
    assert "'trainnig'" in str(problem)
    assert "Did you mean 'training'?" in str(problem)


@pytest.mark.parametrize("mode", [None, ["idle"], {}, 3, preflight.UNRESOLVED])
def test_a_mode_that_is_no_word_is_a_problem_not_a_crash(mode: Any) -> None:
    assert len(preflight.check_mode(host(rampart_mode=mode))) == 1


@pytest.mark.parametrize(
    ("roles", "parts"),
    [
        (["ssh_sever"], ["'ssh_sever'", "Did you mean 'ssh_server'?"]),
        (["ssh", "ssh"], ["'ssh' twice"]),
        ("ssh", ["'ssh'", "a list of roles"]),
        ([], ["a list of roles"]),
        ([{"role": "ssh"}], ["{'role': 'ssh'}"]),
    ],
)
def test_bad_roles_are_named(roles: Any, parts: list[str]) -> None:
    text = "\n".join(map(str, preflight.check_roles(host(), roles, SPECS)))
    assert text
    assert all(part in text for part in parts)


def test_an_unknown_variable_gives_its_place_value_and_the_nearest_name() -> None:
    (problem,) = preflight.check_unknown(host(ssh_server_prot=2222), SPECS)
    assert "group_vars/gpu.yml:3:1" in str(problem)
    assert "2222" in str(problem)
    assert "Did you mean 'ssh_server_port'?" in str(problem)


def test_the_longest_role_prefix_decides() -> None:
    (problem,) = preflight.check_unknown(host(ssh_agnet=True), SPECS)
    assert "a variable of role ssh." in str(problem)


def test_a_layer_of_a_variable_without_layers_is_unknown() -> None:
    assert len(preflight.check_unknown(host(ssh_server_port_host=1), SPECS)) == 1


def test_private_names_and_registers_are_the_roles_own() -> None:
    assert not preflight.check_unknown(host(_ssh_server_x=1, __ssh_server_y=2), SPECS)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("ssh_server_port", "twenty-two", "int"),
        ("ssh_server_users", {"a": 1}, "list of str"),
        ("ssh_server_log_level", "NOISY", "INFO, VERBOSE"),
        ("ssh_server_options_host", ["x"], "dict"),
    ],
)
def test_a_wrong_type_gives_the_value_and_the_type(name: str, value: Any, wanted: str) -> None:
    (problem,) = preflight.check_types(host(**{name: value}), SPECS, _violates)
    assert name in str(problem)
    assert wanted in str(problem)


def test_a_value_that_needs_facts_is_left_to_its_role() -> None:
    assert not preflight.check_types(host(ssh_server_port=preflight.UNRESOLVED), SPECS, _violates)


@pytest.mark.parametrize("fail_on", ["hihg", None, 3])
def test_an_unknown_severity_is_named(fail_on: Any) -> None:
    (problem,) = preflight.check_fail_on(host(), fail_on)
    assert "critical, high, medium, low, info" in str(problem)
