# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The filter rampart.fleet.layered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.rampart.fleet.plugins.plugin_utils.layered import LayerError, merge_layers


def layered(layers: Any) -> Any:
    """Return the layers merged; see layered.yml."""
    try:
        return merge_layers(layers)
    except LayerError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible looks for in this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"layered": layered}
