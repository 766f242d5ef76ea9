# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The filter rampart.fleet.firewall_table."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.rampart.fleet.plugins.module_utils.firewall.policy import PolicyError, policy
from ansible_collections.rampart.fleet.plugins.module_utils.firewall.render import table


def firewall_table(
    rules: Sequence[Mapping[str, Any]],
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    **settings: Any,
) -> str:
    """Return the text of table inet rampart; see firewall_table.yml."""
    try:
        members = {name: _addresses(name, groups, hostvars) for name in _named(rules)}
        return table(policy(rules, members, **settings))
    except PolicyError as error:
        raise AnsibleFilterError(str(error)) from error


def _named(rules: Sequence[Mapping[str, Any]]) -> set[str]:
    return {group for rule in rules for group in rule.get("groups") or []}


def _addresses(group: str, groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [_address(host, group, hostvars[host]) for host in groups.get(group, ())]


def _address(host: str, group: str, variables: Mapping[str, Any]) -> str:
    found = str(variables.get("firewall_address") or variables.get("ansible_host") or host)
    try:
        return str(ipaddress.ip_address(found))
    except ValueError:
        raise PolicyError(
            f"host '{host}' of group '{group}' has the address '{found}'; wanted an IP address, "
            "for a filter must not wait for DNS: set firewall_address of that host"
        ) from None


class FilterModule:
    """What Ansible looks for in this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"firewall_table": firewall_table}
