# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A lab fleet as the end-to-end tests use it: run playbooks as a person would, break hosts by hand, measure again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
_ERROR_LINES, _ERROR_CHARS = 4, 600
_LIMIT_S = 2400  # an emulated machine beside other work


@dataclass(frozen=True)
class Fleet:
    """A running lab, a folder for the reports of its runs, and settings of Ansible (environment variables)."""

    lab: str
    inventory: Path
    reports: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def playbook(
        self, name: str, *arguments: str, report: str = "run", checkout: Path = CHECKOUT
    ) -> subprocess.CompletedProcess[str]:
        """Run a playbook of the checkout, whatever its exit status; its report goes to the folder `report`."""
        return ansible(
            "ansible-playbook",
            f"playbooks/{name}.yml",
            *("-i", str(self.inventory)),
            *("-e", f"posture_report_dir={self.reports / report}"),
            *arguments,
            checkout=checkout,
            settings=self.settings,
        )

    def modes(self) -> dict[str, str]:
        """The mode of each host, by name."""
        groups = yaml.safe_load(self.inventory.read_text())["all"]["children"]
        return {name: variables["rampart_mode"] for name, variables in groups["rampart"]["hosts"].items()}

    def addresses(self) -> dict[str, str]:
        """The address of each host, by name."""
        groups = yaml.safe_load(self.inventory.read_text())["all"]["children"]
        return {name: variables["ansible_host"] for name, variables in groups["rampart"]["hosts"].items()}

    def report(self, report: str = "run") -> dict[str, Any]:
        """The posture.json that a playbook left."""
        content: dict[str, Any] = json.loads((self.reports / report / "posture.json").read_text())
        return content

    def shell(self, host: str, script: str, check: bool = True) -> str:
        """Run a script as root on a host and return what it printed."""
        done = subprocess.run(
            [BIN / "rampart", "lab", "exec", "--name", self.lab, host, "--", "sudo", "sh", "-euc", script],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(
                f"{host}: {script!r} ended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}"
            )
        return done.stdout

    def states(self, host: str, checkout: Path = CHECKOUT, **options: str) -> dict[str, str]:
        """Measure a host now and return the state of each of its controls."""
        folder = self.reports / f"states-{host}"
        # The variables of playbooks do not hold for a single task.
        roles = yaml.safe_load((checkout / "playbooks/group_vars/all.yml").read_text())["rampart_roles"]
        arguments = {"report_dir": folder, "roles": ",".join(roles), **options}
        given = " ".join(f"{key}={value}" for key, value in arguments.items())
        done = ansible(
            "ansible",
            host,
            "-i",
            str(self.inventory),
            "-m",
            "rampart.fleet.posture",
            "-a",
            given,
            checkout=checkout,
            settings=self.settings,
        )
        if done.returncode != 0:
            raise AssertionError(f"measuring {host} failed:\n{done.stdout}\n{done.stderr}")
        results = json.loads((folder / "hosts" / f"{host}.json").read_text())["host"]["results"]
        return {result["id"]: result["state"] for result in results}


def said_of_failure(done: subprocess.CompletedProcess[str]) -> str:
    """What a failed run says for a test's message: its errors first, since a log may be cut, then its end."""
    lines = f"{done.stdout}\n{done.stderr}".splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("[ERROR]: ")]
    errors = [" ".join(lines[number : number + _ERROR_LINES])[:_ERROR_CHARS] for number in starts]
    return "\n".join([f"ended with {done.returncode}", *errors, done.stdout[-6000:], done.stderr[-2000:]])


def ansible(
    *command: str, checkout: Path = CHECKOUT, settings: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    """Run a command of Ansible in a checkout, with nothing of the caller's own Ansible settings but `settings`."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    environment |= {
        "ANSIBLE_CONFIG": str(checkout / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "PATH": f"{BIN}:{os.environ['PATH']}",
        **settings,
    }
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=checkout, env=environment, capture_output=True, text=True, timeout=_LIMIT_S, check=False,
    )  # fmt: skip
