# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The rules that the role renders in a mode are those that the role's controls expect of the kernel in that mode."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.rampart.fleet.plugins.filter.layered import FilterModule
from ansible_collections.rampart.fleet.plugins.module_utils import audit_rules
from ansible_collections.rampart.fleet.plugins.plugin_utils.layered import merge_layers

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "roles" / "audit_logging"
TEMPLATES = ROLE / "templates/etc/audit/rules.d"
MODES = ("inference", "training", "idle", "quarantine")
MACHINES = ("x86_64", "aarch64")
PRIVILEGED = ["/usr/bin/passwd", "/usr/bin/sudo"]


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rendered(mode: str, machine: str = "x86_64") -> str:
    """The rules of a mode on a machine where every folder exists and no pattern matches."""
    defaults = load(ROLE / "defaults" / "main.yml")
    overlay = load(ROOT / "playbooks" / "group_vars" / f"mode_{mode}.yml") or {}
    layers = [defaults["audit_logging_rules_default"], overlay.get("audit_logging_rules_mode", []), {}, {}, {}]
    rules = merge_layers(layers)
    variables = {
        **defaults,
        "_audit_logging_rules": rules,
        "_audit_logging_subjects": {
            "watch": {path: [] if "*" in path else [path] for rule in rules for path in rule.get("watch", [])},
            "privileged": PRIVILEGED,
            "arches": audit_rules.arches(machine),
            "unknown_calls": audit_rules.unknown_calls(machine),
        },
    }
    assert FilterModule().filters()
    text = "".join((TEMPLATES / f"{name}-rampart.rules.j2").read_text(encoding="utf-8") for name in ("50", "zz"))
    return str(Templar(DataLoader(), variables).template(trust_as_template(text)))


def demands(control: dict[str, Any], mode: str) -> dict[str, Any]:
    for variant in control.get("variants", []):
        if mode in variant["when"]["modes"]:
            return dict(variant)
    return control


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("mode", MODES)
def test_the_rules_of_a_mode_satisfy_its_controls(mode: str, machine: str) -> None:
    rules = audit_rules.parse_rules(rendered(mode, machine))
    calls = audit_rules.recorded_syscalls(rules)
    checked = 0
    for control in load(ROLE / "controls" / "audit.yml"):
        if mode not in control["applies"].get("modes", MODES):
            continue
        wanted = {probe["id"]: probe.get("rules") for probe in control["probes"]}
        for condition in demands(control, mode)["expect"]["all"]:
            if condition.get("field") == "missing":
                assert audit_rules.uncovered(wanted[condition["obs"]], rules, machine) == [], control["id"]
                checked += 1
            elif condition.get("field") == "syscalls":
                assert condition["value"] not in calls, control["id"]
                checked += 1
    assert checked >= 35


def test_a_control_sees_when_any_one_line_of_the_rules_is_gone() -> None:
    lines = rendered("quarantine").splitlines()
    controls = [
        probe["rules"]
        for control in load(ROLE / "controls" / "audit.yml")
        for probe in control["probes"]
        if probe["kind"] == "audit_coverage"
    ]
    # Beyond what controls ask for: the rules that a line of another item covers as well, and those of sites' choice.
    unasked = ("netplan", "NetworkManager", "resolv.conf", "opasswd", "grub.d", "uvm-tools", "modeset", "create_module")
    for number, line in enumerate(lines):
        if not line.startswith("-") or line[:2] in ("-D", "-b", "-f", "-e") or any(word in line for word in unasked):
            continue
        if any(path in line for path in PRIVILEGED):
            continue
        left = audit_rules.parse_rules("\n".join(lines[:number] + lines[number + 1 :]))
        assert any(audit_rules.uncovered(wanted, left, "x86_64") for wanted in controls), line


def test_training_keeps_all_but_what_stalls_its_checkpoints() -> None:
    full, training = (set(rendered(mode).splitlines()) for mode in ("idle", "training"))
    assert training < full
    assert {line.rsplit(" ", 1)[1] for line in full - training} == {"permissions", "deletions"}


def test_nothing_halts_the_host_when_records_are_lost_or_the_disk_is_full() -> None:
    defaults = load(ROLE / "defaults" / "main.yml")
    actions = {str(value).lower() for value in defaults["audit_logging_auditd_conf_default"].values()}
    assert not actions & {"halt", "single", "exec", "suspend"}
    assert audit_rules.wanted_status(rendered("inference"))["failure"] == 1


def test_the_rules_come_in_the_same_order_whatever_the_seed_of_hashes() -> None:
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
    program += "from tests.unit.audit_logging.test_rules_by_mode import rendered; print(rendered('quarantine'))"
    texts = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, cwd=ROOT,
            check=True, capture_output=True, text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert len(texts) == 1
    assert "-w /etc/passwd -p wa -k identity" in texts.pop()
