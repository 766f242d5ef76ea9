# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The rules that the role renders in a mode are those that the role's controls expect of the kernel in that mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.rampart.fleet.plugins.module_utils import audit_rules
from ansible_collections.rampart.fleet.plugins.plugin_utils.layered import merge_layers

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "roles" / "audit_logging"
MODES = ("inference", "training", "idle", "quarantine")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rendered(mode: str, arches: list[str], missing_calls: list[str]) -> str:
    defaults = load(ROLE / "defaults" / "main.yml")
    overlay = load(ROOT / "playbooks" / "group_vars" / f"mode_{mode}.yml") or {}
    layers = [defaults["audit_logging_rules_default"], overlay.get("audit_logging_rules_mode", []), {}, {}, {}]
    variables = {
        **defaults,
        "_audit_logging_rules": merge_layers(layers),
        "_audit_logging_arches": arches,
        "_audit_logging_missing_syscalls": missing_calls,
    }
    template = (ROLE / "templates/etc/audit/rules.d/50-rampart.rules.j2").read_text(encoding="utf-8")
    return str(Templar(DataLoader(), variables).template(trust_as_template(template)))


def wanted(control: dict[str, Any], mode: str) -> list[dict[str, Any]]:
    for variant in control.get("variants", []):
        if mode in variant["when"]["modes"]:
            return list(variant["expect"]["all"])
    return list(control["expect"]["all"])


@pytest.mark.parametrize("arch", [(["b64", "b32"], []), (["b64"], ["chmod", "chown", "lchown", "rename", "unlink"])])
@pytest.mark.parametrize("mode", MODES)
def test_the_rules_of_a_mode_satisfy_its_controls(mode: str, arch: tuple[list[str], list[str]]) -> None:
    text = rendered(mode, *arch)
    rules = audit_rules.parse_rules(text)
    measured = {"watches": audit_rules.watches(rules), "syscalls": audit_rules.recorded_syscalls(rules)}
    checked = 0
    for control in load(ROLE / "controls" / "audit.yml"):
        if mode not in control["applies"].get("modes", MODES):
            continue
        for condition in wanted(control, mode):
            found = measured.get(condition.get("field", ""))
            if found is None:
                continue
            checked += 1
            if condition["op"] == "superset":
                assert set(condition["value"]) <= set(found), control["id"]
            else:
                assert condition["op"] == "not_contains", control["id"]
                assert condition["value"] not in found, control["id"]
    assert checked >= 12


def test_nothing_halts_the_host_when_records_are_lost_or_the_disk_is_full() -> None:
    defaults = load(ROLE / "defaults" / "main.yml")
    actions = {str(value).lower() for value in defaults["audit_logging_auditd_conf_default"].values()}
    assert not actions & {"halt", "single", "exec"}
    assert audit_rules.wanted_status(rendered("inference", ["b64"], []))["failure"] == 1
