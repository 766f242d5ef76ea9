# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What to run: one playbook with the options of ansible-playbook, and the plain command that does the same."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: What the checkout's ansible.cfg sets and a run without any ansible.cfg would lack.
DEFAULT_SETTINGS = {
    "ANSIBLE_FORKS": "25",
    "ANSIBLE_INJECT_FACT_VARS": "False",
    "ANSIBLE_PIPELINING": "True",
    "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
}


@dataclass(frozen=True)
class PlayRequest:
    """One call of ansible-playbook; `extra_vars` are passed on as they were written, later ones win."""

    playbook: str
    inventory: tuple[str, ...]
    limit: str | None = None
    tags: str | None = None
    skip_tags: str | None = None
    check: bool = False
    diff: bool = False
    extra_vars: tuple[str, ...] = ()
    forks: int | None = None
    verbosity: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)

    def options(self) -> list[str]:
        """The arguments of ansible-playbook, without the playbook."""
        pairs: list[tuple[str, str | None]] = [("--inventory", each) for each in self.inventory]
        pairs += [("--limit", self.limit), ("--tags", self.tags), ("--skip-tags", self.skip_tags)]
        pairs += [("--forks", str(self.forks) if self.forks else None)]
        pairs += [("--extra-vars", each) for each in self.extra_vars]
        words = [word for option, value in pairs if value is not None for word in (option, value)]
        flags = [("--check", self.check), ("--diff", self.diff), ("-" + "v" * self.verbosity, self.verbosity > 0)]
        return words + [flag for flag, wanted in flags if wanted]

    def plain_command(self) -> str:
        """The same run without rampart, to paste into a shell."""
        settings = [f"{key}={shlex.quote(value)}" for key, value in sorted(self.settings.items())]
        return " ".join([*settings, "ansible-playbook", shlex.join([*self.options(), self.playbook])])

    def environment(self) -> dict[str, str]:
        """Variables of the run: the settings, and a PATH on which this interpreter's ansible-playbook comes first."""
        return {**self.settings, "PATH": f"{executables()}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def executables() -> Path:
    """The folder of the interpreter's own console scripts: ansible-playbook of the same installation lies there."""
    return Path(sys.executable).parent


def default_settings(directory: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The collection's own settings where the user has no ansible.cfg; a setting in the environment stays."""
    found = [directory / "ansible.cfg", Path(environ.get("HOME", "/nonexistent")) / ".ansible.cfg"]
    if "ANSIBLE_CONFIG" in environ or any(path.is_file() for path in [*found, Path("/etc/ansible/ansible.cfg")]):
        return {}
    return {key: value for key, value in DEFAULT_SETTINGS.items() if key not in environ}
