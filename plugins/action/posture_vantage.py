# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Action of rampart.fleet.posture_vantage: what is to be seen of a host, sent to the host that looks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import connection_loader
from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import LocalHost
from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import Request
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import Observation
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.look import look
from ansible_collections.rampart.fleet.plugins.plugin_utils.module_answer import told_by
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture import assessment, catalogue, vantage
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.catalogue_cache import default_cache
from ansible_collections.rampart.fleet.plugins.plugin_utils.role_specs import collection_root


class ActionModule(ActionBase):
    """Choose what to look for, let the delegated host look, and try the logins that need the operator's key."""

    TRANSFERS_FILES = False
    # What to look for, when the caller is rampart.fleet.posture, which has read the controls already.
    requests: Sequence[Request] | None = None

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return {observations}; failed when the controls cannot be used."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = self._arguments(variables)
        peers, own = vantage.split(self._requests(arguments) if self.requests is None else self.requests)
        target = arguments["target"] or self._target(variables)
        way = self._way(variables)
        attempts = vantage.Attempts(way, own) if isinstance(way, vantage.SshWay) else None
        if peers and not arguments["point"]:
            seen = _from_here(way, arguments, peers, target)
        else:
            seen = self._from_there(arguments, peers, target, variables)
        seen.update(attempts.results() if attempts else vantage.unseen(own, str(way)))
        result.update(changed=False, observations={key: found.to_json() for key, found in seen.items()})
        return result

    def _arguments(self, variables: dict[str, Any]) -> dict[str, Any]:
        _unused, arguments = self.validate_argument_spec(
            {
                "roles": {"type": "list", "elements": "str", "default": self._variable(variables, "rampart_roles")},
                "point": {"type": "str", "default": ""},
                "target": {"type": "dict"},
                "ids": {"type": "list", "elements": "str", "default": []},
                "areas": {"type": "list", "elements": "str", "default": []},
                "catalogue_paths": {
                    "type": "list",
                    "elements": "path",
                    "default": self._variable(variables, "posture_catalogue_paths") or [],
                },
                "timeout_s": {"type": "float", "default": 8.0},
            }
        )
        if not arguments["roles"]:
            raise AnsibleActionFail(
                "roles is not given and the host has no rampart_roles, wanted the roles whose controls are measured: "
                "set it in the inventory"
            )
        return dict(arguments)

    def _variable(self, variables: dict[str, Any], name: str) -> Any:
        return self._templar.template(variables[name]) if name in variables else None

    def _target(self, variables: dict[str, Any]) -> dict[str, Any]:
        names = ("posture_vantage_address", "ansible_host", "ansible_port", "ansible_ssh_port")
        return vantage.target_of_host(
            {name: self._variable(variables, name) for name in names}, str(variables["inventory_hostname"])
        )

    def _requests(self, arguments: dict[str, Any]) -> list[Request]:
        try:
            files = catalogue.sources(collection_root(), [Path(path) for path in arguments["catalogue_paths"]])
            controls = catalogue.load(files, default_cache())
        except catalogue.CatalogueError as error:
            raise AnsibleActionFail(str(error)) from None
        return assessment.vantage_requests(controls.select(arguments["roles"], arguments["ids"], arguments["areas"]))

    def _from_there(
        self, arguments: dict[str, Any], requests: Sequence[Request], target: dict[str, Any], variables: dict[str, Any]
    ) -> dict[str, Observation]:
        if not requests:
            return {}
        answer = self._execute_module(
            module_name="rampart.fleet.posture_vantage",
            module_args={
                "probes": [one.to_json() for one in requests],
                "target": target,
                "timeout_s": arguments["timeout_s"],
            },
            task_vars=variables,
        )
        if "observations" in answer:
            return {key: Observation.from_json(found) for key, found in answer["observations"].items()}
        # It was there and could not look: that is no reason to say that there was nothing to see.
        reason = f"{arguments['point']} was to look at this host and could not: {told_by(answer)}"
        return {request.key: Observation("error", reason=reason) for request in requests}

    def _way(self, variables: dict[str, Any]) -> vantage.SshWay | str:
        """Return how Ansible reaches the target by ssh, or why it does not."""
        kind = str(self._variable(variables, "ansible_connection") or "ssh").rpartition(".")[2]
        if kind != "ssh":
            return f"the controller reaches this host by {kind} and not by ssh"
        connection = connection_loader.get("ssh", self._play_context, "/dev/null")
        known = constants.config.get_plugin_vars("connection", "ssh")
        options = {name: self._variable(variables, name) for name in known if name in variables}
        options.setdefault("ansible_host", variables["inventory_hostname"])
        connection.set_options(var_options=options)
        given = connection.get_option
        return vantage.SshWay(
            executable=str(given("ssh_executable")),
            address=str(options["ansible_host"]),
            port=given("port"),
            key=given("private_key_file"),
            arguments=vantage.arguments_of(given("ssh_args"), given("ssh_common_args"), given("ssh_extra_args")),
        )


def _from_here(
    way: vantage.SshWay | str, arguments: dict[str, Any], requests: Sequence[Request], target: dict[str, Any]
) -> dict[str, Observation]:
    if isinstance(way, vantage.SshWay) and vantage.direct(way):
        return look(LocalHost(), requests, target, arguments["timeout_s"])
    reason = "no other host of the group rampart can look, and the controller has no direct way to this one"
    return vantage.unseen(requests, reason)
