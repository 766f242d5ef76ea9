# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Filter rampart.fleet.workload_contract: settings as a role wants them in, as this workload allows them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.rampart.fleet.plugins.module_utils.workload.conflict_table import CONFLICTS
from ansible_collections.rampart.fleet.plugins.module_utils.workload.conflicts import ContractError, resolve


def workload_contract(
    desired: Mapping[str, Any], workload: Mapping[str, Any], mode: str, accepted: Sequence[str] = ()
) -> dict[str, Any]:
    """Return `{settings: {name: value}, conflicts: [...], notes: [...]}`; see the filter's documentation."""
    for name, value in (("input", desired), ("workload", workload)):
        if not isinstance(value, Mapping):
            raise AnsibleFilterError(f"workload_contract: the {name} is {value!r}, wanted a dictionary")
    try:
        resolved = resolve(CONFLICTS, desired, workload, mode, accepted)
    except ContractError as error:
        raise AnsibleFilterError(f"workload_contract: {error}") from error
    return {"settings": resolved.settings, "conflicts": resolved.conflicts, "notes": resolved.notes}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"workload_contract": workload_contract}
