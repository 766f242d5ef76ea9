# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The example inventory is one that preflight accepts, host by host."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.manager import VariableManager
from ansible_collections.rampart.fleet.plugins.action.preflight import _violates
from ansible_collections.rampart.fleet.plugins.plugin_utils import preflight
from ansible_collections.rampart.fleet.plugins.plugin_utils.preflight_waivers import WaiverProblems, check_waiver_files
from ansible_collections.rampart.fleet.plugins.plugin_utils.role_specs import collection_root, load_role_specs

EXAMPLE = Path(__file__).parents[3] / "inventories" / "example"


@pytest.fixture(scope="module")
def variables() -> VariableManager:
    loader = DataLoader()
    return VariableManager(loader, InventoryManager(loader, sources=[str(EXAMPLE / "hosts.yml")]))


def test_the_example_is_a_cluster_of_32_gpu_nodes_with_eight_rails(variables: VariableManager) -> None:
    inventory = variables._inventory
    assert len(inventory.get_hosts("gpu")) == 32
    host_vars = variables.get_vars(host=inventory.get_host("gpu07"))
    rails = Templar(DataLoader(), host_vars).template(host_vars["rails"])
    assert [rail["address"] for rail in rails] == [f"198.19.{rail}.7/24" for rail in range(8)]


def test_preflight_accepts_every_host_of_the_example(variables: VariableManager) -> None:
    specs = load_role_specs(collection_root())
    for host in variables._inventory.get_hosts("rampart"):
        found = preflight.HostVariables(host.name, variables.get_vars(host=host), {})
        assert not preflight.check_mode(found)
        assert not preflight.check_unknown(found, specs)
        assert not preflight.check_types(found, specs, _violates)
        assert check_waiver_files([str(EXAMPLE / "waivers.yml")], host.name) == WaiverProblems()
