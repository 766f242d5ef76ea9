# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Record which controls a fresh installation passes: `make default-safe` brings a bare host of each release up.

What passes there is no merit of a role, and reports say so. A host of either kind of lab counts, and each mode, because
what passes in one of them only is not safe by default.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.rampart.fleet.plugins.plugin_utils.posture.default_safe import RECORD

from .agent import Agent, Measurer
from .fleet import BIN

RELEASES = {"debian12": "12", "debian13": "13"}
MODES = ("inference", "training", "idle", "quarantine")


@contextmanager
def bare_lab(release: str) -> Iterator[str]:
    """A lab of one host that nothing has hardened."""
    lab, command = f"bare-{release}-{os.getpid()}", [BIN / "rampart", "lab"]
    try:
        up = [*command, "up", "--name", lab, "--driver", "nspawn", "--topology", "single", "--release", release]
        subprocess.run(up, check=True, timeout=1800)
        yield lab
    finally:
        subprocess.run([*command, "down", "--name", lab], check=True, timeout=120)


def passing(lab: str, host: str = "host1") -> list[str]:
    """The controls that pass on a bare host, whatever its mode."""
    with Agent(lab, host) as agent:
        modes = [Measurer(agent, mode).states() for mode in MODES]
    return sorted(name for name in modes[0] if all(states[name] == "pass" for states in modes))


def main() -> int:
    """Write the record anew, for the releases that are named, or for all."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    for name in sys.argv[1:] or RELEASES:
        with bare_lab(RELEASES[name]) as lab:
            record[name] = passing(lab)
        print(f"{name}: {len(record[name])} controls pass on a fresh installation")
    RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
