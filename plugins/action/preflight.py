# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Action of rampart.fleet.preflight: reads the variables of the host on the controller, and connects to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError, AnsibleTemplateError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible_collections.rampart.fleet.plugins.plugin_utils import preflight
from ansible_collections.rampart.fleet.plugins.plugin_utils.preflight import HostVariables, Problem
from ansible_collections.rampart.fleet.plugins.plugin_utils.preflight_waivers import check_waiver_files
from ansible_collections.rampart.fleet.plugins.plugin_utils.role_specs import (
    RoleSpec,
    collection_root,
    load_role_specs,
)

try:  # Where a value was written is Ansible's own knowledge and not a public interface: without it, the host is named.
    from ansible._internal._datatag._tags import Origin
except ImportError:
    Origin = None

_ALWAYS = ("rampart_mode", "rampart_roles", "posture_fail_on")


class ActionModule(ActionBase):
    """Fail the host whose inventory cannot be meant as it is written, and only that host."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _VALID_ARGS = frozenset({"roles", "fail_on", "waivers", "expired_waivers"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ok, or failed with one line a problem."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        specs = load_role_specs(collection_root())
        variables = self._host_variables(task_vars or {}, specs)
        problems = [
            *preflight.check_mode(variables),
            *preflight.check_roles(variables, self._argument("roles", []), specs),
            *preflight.check_fail_on(variables, self._argument("fail_on", "high")),
            *preflight.check_unknown(variables, specs),
            *preflight.check_types(variables, specs, _violates),
        ]
        waivers = check_waiver_files(
            self._argument("waivers", []), variables.host, (task_vars or {}).get("groups", {}).get("rampart", ())
        )
        expired_fail = self._argument("expired_waivers", "fail") == "fail"
        problems += waivers.malformed + (waivers.expired if expired_fail else [])
        result.update(changed=False)
        if not expired_fail:
            result["warnings"] = [str(problem) for problem in waivers.expired]
        if problems:
            result.update(failed=True, msg=_message(variables.host, problems))
        return result

    def _argument(self, name: str, default: Any) -> Any:
        value = self._task.args.get(name)
        return default if value is None else value

    def _host_variables(self, task_vars: Mapping[str, Any], specs: Mapping[str, RoleSpec]) -> HostVariables:
        host = str(task_vars["inventory_hostname"])
        raw = HostVariables(host, task_vars, {})
        wanted = set(preflight.role_variables(raw, specs)) | set(_ALWAYS)
        names = [name for name in task_vars if name in wanted]
        values = {str(name): self._resolved(task_vars[name]) for name in names}
        places = {str(name): _place(name, task_vars[name]) for name in names}
        return HostVariables(host, values, {name: place for name, place in places.items() if place})

    def _resolved(self, value: Any) -> Any:
        """Return the value with its templates resolved, or Unresolved when it needs what only the host knows."""
        try:
            return self._templar.template(value)
        except (AnsibleTemplateError, AnsibleError):
            return preflight.UNRESOLVED


def _violates(variable: str, value: Any, option: Mapping[str, Any]) -> str | None:
    """Return what the value violates of an argument_specs option, in Ansible's words."""
    checked = {key: option[key] for key in ("type", "elements", "choices", "options") if key in option}
    outcome = ArgumentSpecValidator({variable: checked}).validate({variable: value})
    return "; ".join(outcome.error_messages) or None


def _place(name: Any, value: Any) -> str | None:
    if Origin is None:
        return None
    origin = Origin.get_tag(name) or Origin.get_tag(value)
    return str(origin) if origin else None


def _message(host: str, problems: list[Problem]) -> str:
    lines = "\n".join(f"  - {problem}" for problem in problems)
    return f"The inventory of host {host} cannot be used, and nothing was done to the host:\n{lines}"
