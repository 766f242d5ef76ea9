# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""From roles and controls to Markdown: pure text, so that a test can compare it with what is committed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rampart.dev.catalogue import Role
from rampart.dev.frameworks import frameworks

NOTICE = "<!-- Written by `make docs` from {source}: change those, not this. -->"

#: How names of frameworks are shown; refs that are not named here are shown as they are.
FRAMEWORKS = {key: framework.short for key, framework in frameworks().items()}

_MARKUP = (
    (re.compile(r"\b[CVOEP]\(((?:[^()\\]|\\.|\([^()]*\))*)\)"), r"`\1`"),
    (re.compile(r"\bI\(([^()]*)\)"), r"*\1*"),
    (re.compile(r"\bB\(([^()]*)\)"), r"**\1**"),
    (re.compile(r"\bM\(([^()]*)\)"), r"`\1`"),
    (re.compile(r"\bU\(([^()]*)\)"), r"<\1>"),
    (re.compile(r"\bL\(([^(),]*),\s*([^()]*)\)"), r"[\1](\2)"),
)


def prose(text: str | Iterable[str]) -> str:
    """Ansible's documentation markup as Markdown; a list becomes sentences of one paragraph."""
    joined = text if isinstance(text, str) else " ".join(str(part).strip() for part in text)
    for pattern, replacement in _MARKUP:
        joined = pattern.sub(replacement, joined)
    return " ".join(joined.split())


def cell(text: str) -> str:
    """Text that stays in one cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def value(data: Any) -> str:
    """A default, as it would be written in YAML's flow style; long ones are shortened."""
    if data is None:
        return ""
    shown = json.dumps(data, ensure_ascii=False)
    if len(shown) > 80:
        return "see defaults/main.yml"
    return f"`{shown}`"


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """A Markdown table, line by line."""
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for row in rows:
        yield "| " + " | ".join(cell(text) for text in row) + " |"


def variables(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Rows of a role's variables; the keys of a dictionary follow it, joined by dots."""
    for name, spec in sorted(options.items()):
        kind = spec.get("type", "str")
        if kind == "list" and spec.get("elements"):
            kind = f"list of {spec['elements']}"
        about = prose(spec.get("description", ""))
        if spec.get("choices"):
            about += " One of " + ", ".join(f"`{choice}`" for choice in spec["choices"]) + "."
        default = "required" if spec.get("required") else value(spec.get("default"))
        yield f"`{prefix}{name}`", kind, default, about
        yield from variables(spec.get("options") or {}, f"{prefix}{name}.")


def applies(control: Mapping[str, Any]) -> str:
    """Where a control applies, in a few words; empty where it applies everywhere."""
    limits = control.get("applies") or {}
    parts = [", ".join(limits[key]) for key in ("virt", "modes") if limits.get(key)]
    if limits.get("requires"):
        parts.append(f"unless {limits.get('reason_if_not', 'its subject is absent')}")
    modes = {mode for variant in control.get("variants") or [] for mode in (variant.get("when") or {}).get("modes", [])}
    if modes:
        parts.append("differs for " + ", ".join(sorted(modes)))
    return "; ".join(parts)


def references(control: Mapping[str, Any]) -> str:
    """Framework references of a control."""
    refs = control.get("refs") or {}
    return "; ".join(f"{FRAMEWORKS.get(name, name)} {', '.join(map(str, ids))}" for name, ids in refs.items() if ids)


def control_rows(controls: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    for control in controls:
        yield control["id"], control["severity"], control["title"], applies(control), references(control)


CONTROL_HEADER = ("id", "severity", "what must be true", "where", "contributes to")


def role_readme(role: Role) -> str:
    """README.md of one role."""
    spec = role.main
    lines = [NOTICE.format(source="meta/argument_specs.yml and controls/"), "", f"# rampart.fleet.{role.name}", ""]
    lines += [prose(spec.get("short_description", "")), ""]
    description = spec.get("description", [])
    for paragraph in [description] if isinstance(description, str) else description:
        lines += [prose(paragraph), ""]
    if role.options:
        rows = variables(role.options)
        lines += ["## Variables", "", *table(("name", "type", "default", "meaning"), rows), ""]
    if role.controls:
        lines += ["## Controls", "", "Measured on the running host by `rampart.fleet.verify`.", ""]
        lines += [*table(CONTROL_HEADER, control_rows(role.controls)), ""]
    return "\n".join(lines)


def catalogue(roles: Iterable[Role]) -> str:
    """docs/controls.md: every control of the collection."""
    having = [role for role in roles if role.controls]
    total = sum(len(role.controls) for role in having)
    lines = [NOTICE.format(source="roles/*/controls/"), "", "# Controls", ""]
    lines += [
        f"{total} controls in {len(having)} roles. Each says what must be true on the running host; how it is measured",
        "stands in the role's own file. A reference means that a control contributes to a requirement, never that it",
        "satisfies one alone.",
        "",
    ]
    for role in having:
        lines += [f"## [{role.name}](../roles/{role.name}/README.md): {len(role.controls)}", ""]
        lines += [*table(CONTROL_HEADER, control_rows(role.controls)), ""]
    return "\n".join(lines)
