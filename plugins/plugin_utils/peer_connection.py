# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A connection to another host of the inventory, from within an action that has one of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible import constants
from ansible.plugins.loader import connection_loader


def connection_to(host: str, variables: Mapping[str, Any], play_context: Any, task: Any) -> Any:
    """Return a connection without privileges to a host, by its variables (an entry of `hostvars`).

    What Ansible does for `delegate_to`: the options of the connection and of its shell come from the variables of the
    host, and else from the task and the configuration.
    """
    kind = str(variables.get("ansible_connection") or play_context.connection or "ssh")
    connection = connection_loader.get(kind, play_context, task_uuid=task._uuid, ansible_playbook_pid=str(os.getppid()))
    connection.set_become_plugin(None)
    keys = task.dump_attrs()
    # Of a task these mean something else than of a connection.
    del keys["timeout"], keys["retries"]
    for plugin, family in ((connection, "connection"), (connection._shell, "shell")):
        names = constants.config.get_plugin_vars(family, plugin._load_name)
        given = {name: variables[name] for name in names if name in variables}
        plugin.set_options(task_keys=keys, var_options={**given, "inventory_hostname": host})
    return connection
