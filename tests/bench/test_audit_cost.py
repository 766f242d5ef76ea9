# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the audit rules cost: the same loops of a logged-in user with the rules loaded and without, in turns.

On a virtual machine, since a container has no audit system; RAMPART_E2E_KERNEL_LAB names one that is hardened. Printed
as ratios, and nothing is asserted about time: emulated, they say how the parts compare and not what a processor takes.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e import kernel_machine
from tests.e2e.agent import Agent
from tests.e2e.kernel_machine import HOST, Phases

pytestmark = pytest.mark.qemu
_OWN_LAB = os.environ.get("RAMPART_E2E_KERNEL_LAB")
_ROUNDS = 7
_LOOPS = Path(__file__).with_name("audit_loops.py")
# A session of a user, as pam_loginuid makes it: most rules are about those alone.
_AS_USER = "systemd-run --quiet --wait --pipe --property=PAMName=login --uid=ops python3 -I -S /var/tmp/audit_loops.py"


@contextmanager
def hardened(folder: Path) -> Iterator[str]:
    """The name of a lab whose machine audits."""
    if _OWN_LAB:
        yield _OWN_LAB
        return
    with kernel_machine.running(folder, Phases()) as machine:
        kernel_machine.harden(machine, ("audit_logging",))
        yield machine.lab


def test_audit_rules_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs: list[tuple[dict[str, float], dict[str, float]]] = []
    with hardened(tmp_path) as lab, Agent(lab, HOST) as agent:
        rules = len(agent.shell("auditctl -l").splitlines())
        agent.shell(f"cat > /var/tmp/audit_loops.py <<'END'\n{_LOOPS.read_text()}\nEND")
        try:
            for _round in range(_ROUNDS):
                agent.shell("augenrules --load")
                loaded = json.loads(agent.shell(_AS_USER))
                agent.shell("auditctl -D")
                pairs.append((loaded, json.loads(agent.shell(_AS_USER))))
        finally:
            agent.shell("augenrules --load; rm /var/tmp/audit_loops.py")
    assert rules > 20, "the machine does not audit, so that there is nothing to compare"
    with capsys.disabled():
        print(f"\n{rules} rules; {_ROUNDS} pairs of runs; microseconds of CPU time for a turn, medians")
        for name in pairs[0][0]:
            with_rules, without = (statistics.median(pair[side][name] for pair in pairs) for side in (0, 1))
            ratios = sorted(pair[0][name] / pair[1][name] for pair in pairs)
            print(
                f"{name:<8} {with_rules:9.1f} with rules {without:9.1f} without  "
                f"x {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
            )
