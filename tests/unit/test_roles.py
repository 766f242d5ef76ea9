# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Every role keeps the shape that docs/architecture.md promises: interface, controls, tasks, documents, a scenario."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rampart.dev import docs, render
from rampart.dev.catalogue import Role, load_roles

ROOT = Path(__file__).resolve().parents[2]
ROLES = load_roles(ROOT)

#: Roles that others include and that no host is given by name: they have no controls and no scenario of their own.
INTERNAL = {"common"}

#: What no role does, and why.
FORBIDDEN = {
    r"\bignore_errors:": "an error that is ignored is not handled: use failed_when with the condition",
    r"\bchanged_when: *[\"']?true": "a task that always changes breaks the second run",
    r"\bflush +ruleset": "other tools own tables of their own",
    r"\bdaemon[_-]reload": "it detaches GPUs from running containers: notify 'Reload systemd units' of role common",
    r"\bansible\.builtin\.reboot": "roles record a reason; one place reboots",
    r"\bsystemctl +(start|stop|restart|reload|enable|disable|mask)": "use the systemd module, so that check mode holds",
}

MAX_TASK_LINES, MAX_CLAUSES = 60, 3

roles = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def defaults(role: Role) -> dict[str, Any]:
    path = role.path / "defaults" / "main.yml"
    return (yaml.safe_load(path.read_text()) or {}) if path.is_file() else {}


def yaml_files(role: Role) -> list[Path]:
    return [path for folder in ("tasks", "handlers") for path in sorted((role.path / folder).rglob("*.yml"))]


def tasks_of(node: Any) -> Iterator[dict[str, Any]]:
    """Every task of a tasks file, those inside blocks included."""
    for task in node or []:
        yield task
        for key in ("block", "rescue", "always"):
            yield from tasks_of(task.get(key))


def test_there_are_roles() -> None:
    assert {"os_hardening", "ssh_server", "firewall", "audit_logging"} <= {role.name for role in ROLES}


@roles
def test_the_interface_and_the_defaults_have_the_same_keys_and_values(role: Role) -> None:
    optional = {
        name: spec["default"]
        for name, spec in role.options.items()
        if "default" in spec and spec["default"] is not None
    }
    given = defaults(role)
    public = {name: value for name, value in given.items() if not name.startswith("_")}
    assert set(public) <= set(role.options), "in defaults and not in argument_specs"
    assert set(optional) <= set(public), "has a default in argument_specs and not in defaults/main.yml"
    different = {name: (value, optional.get(name)) for name, value in public.items() if optional.get(name) != value}
    assert different == {}, "default differs: (defaults/main.yml, argument_specs)"


@roles
def test_every_variable_carries_the_roles_name_and_says_what_it_means(role: Role) -> None:
    for name, spec in role.options.items():
        assert name.startswith((f"{role.name}_", "rampart_")), name
        assert spec.get("description"), f"{name} has no description"
        assert spec.get("type"), f"{name} has no type"


@roles
def test_a_role_verifies_what_it_enforces(role: Role) -> None:
    if role.name not in INTERNAL:
        assert role.controls, "a role that is applied by name has controls/*.yml"


def test_control_ids_are_unique_in_the_collection() -> None:
    ids = [control["id"] for role in ROLES for control in role.controls]
    assert sorted(set(ids)) == sorted(ids)


@roles
def test_a_remedy_names_the_role_and_a_variable_that_exists(role: Role) -> None:
    for control in role.controls:
        named = re.findall(rf"\b{role.name}_\w+", control.get("remedy", "").replace(f"rampart.fleet.{role.name}", ""))
        # The site's layer of a layered variable has no default of its own; the first layer is in the interface.
        unknown = [name for name in named if not {name, f"{name}_default"} & set(role.options)]
        assert not unknown, f"{control['id']}: {unknown} is no variable of the role"


@roles
def test_tasks_files_stay_short(role: Role) -> None:
    long = {
        str(path.relative_to(role.path)): count
        for path in sorted((role.path / "tasks").rglob("*.yml"))
        if (count := len(path.read_text().splitlines())) > MAX_TASK_LINES
    }
    assert long == {}


@roles
def test_conditions_stay_readable(role: Role) -> None:
    for path in yaml_files(role):
        for task in tasks_of(yaml.safe_load(path.read_text())):
            condition = task.get("when", [])
            clauses = condition if isinstance(condition, list) else re.split(r"\b(?:and|or)\b", str(condition))
            assert len(clauses) <= MAX_CLAUSES, f"{path}: {task.get('name')}: make it a variable"


@roles
@pytest.mark.parametrize(("pattern", "why"), FORBIDDEN.items())
def test_nothing_forbidden_is_done(role: Role, pattern: str, why: str) -> None:
    for path in yaml_files(role):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code = re.sub(r"(^|\s)#.*", "", line)
            assert not re.search(pattern, code), f"{path}:{number}: {why}"


@roles
def test_facts_are_read_from_ansible_facts(role: Role) -> None:
    magic = r"\bansible_(distribution|os_family|virtualization_\w+|kernel|hostname|fqdn|default_ipv4|mounts)\b"
    for path in [*yaml_files(role), *role.path.glob("templates/**/*.j2"), *role.path.glob("defaults/*.yml")]:
        assert not re.search(magic, path.read_text()), f"{path}: injected facts are off: use ansible_facts"


@roles
def test_a_role_has_a_scenario(role: Role) -> None:
    if role.name in INTERNAL:
        return
    named = [
        path.parent.name
        for path in sorted((ROOT / "molecule").glob("*/molecule.yml"))
        if role.name
        in yaml.safe_load(path.read_text())["provisioner"]["inventory"]["group_vars"]["rampart"]["rampart_roles"]
    ]
    assert named, "no molecule scenario names the role in rampart_roles"
    assert any(list((ROOT / "molecule" / name / "tests").glob("test_*.py")) for name in named), "no testinfra tests"


def test_generated_documents_are_up_to_date() -> None:
    assert [str(path.relative_to(ROOT)) for path in docs.stale(ROOT)] == [], "run: make docs"


def test_a_stale_document_is_found(tmp_path: Path) -> None:
    role = tmp_path / "roles" / "x"
    (role / "meta").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    spec = {"argument_specs": {"main": {"short_description": "X.", "options": {"x_a": {"type": "int", "default": 1}}}}}
    (role / "meta" / "argument_specs.yml").write_text(yaml.safe_dump(spec))
    assert docs.main(["--check", str(tmp_path)]) == 1
    assert docs.main([str(tmp_path)]) == 0
    assert docs.main(["--check", str(tmp_path)]) == 0
    assert "| `x_a` | int | `1` |" in (role / "README.md").read_text()
    (role / "README.md").write_text("edited by hand")
    assert docs.stale(tmp_path) == [role / "README.md"]


def test_documentation_markup_becomes_markdown() -> None:
    assert render.prose(["Writes C(/etc/x).", "See L(the guide, https://a.example/)."]) == (
        "Writes `/etc/x`. See [the guide](https://a.example/)."
    )
    assert render.cell("a|b") == "a\\|b"
