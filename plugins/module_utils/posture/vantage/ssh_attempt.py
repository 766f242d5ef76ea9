# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A login that somebody really tries, with the operator's own key."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe


@probe("ssh_attempt", required=("user",), source="ssh {user}@{target} with the operator's key")
def ssh_attempt(host: Host, params: Params) -> dict[str, Any]:
    """Return `{accepted: yes|no, methods: [name]}` of a login as `user`.

    It is made on the controller by the action rampart.fleet.posture_vantage: a refusal means something only to who has
    a key that opens the host, and that key does not travel. Absent anywhere else.
    """
    raise Absent("the operator's key is on the controller and nowhere else")
