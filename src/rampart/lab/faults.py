# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Faults that tests put on hosts: those that work by ssh on any driver, and the driver's own."""

from __future__ import annotations

import difflib
import shlex
import subprocess
from collections.abc import Sequence

from rampart.lab.driver import Context, Driver
from rampart.lab.errors import LabError
from rampart.lab.plan import HostPlan
from rampart.lab.state import LabFolder

_FILL = "/var/tmp/rampart-fill"
# Name to (sentence, script); a name that ends in `=` takes a value, which the script gets as $1.
_SCRIPTS = {
    "kill-service=": ("kill-service=UNIT: the unit's processes are killed, and it is kept from starting.", """
systemctl cat -- "$1" >/dev/null
systemctl kill --kill-whom=all --signal=KILL -- "$1" || true
systemctl mask --runtime --now -- "$1"
"""),
    "heal-service=": ("heal-service=UNIT: undo kill-service.", """
systemctl unmask --runtime -- "$1"
systemctl start -- "$1"
"""),
    "fill-disk": ("The root file system is filled to the last block.", f"""
size=$(df --output=avail --block-size=1 / | tail -n 1)
while [ "$size" -gt 1048576 ]; do
  fallocate --length "$size" "{_FILL}-$size-$(date +%N)" 2>/dev/null || size=$((size / 2))
done
dd if=/dev/zero of={_FILL}-rest bs=4K status=none 2>/dev/null || true
[ "$(df --output=avail --block-size=1K / | tail -n 1)" -lt 64 ]
"""),
    "free-disk": ("Undo fill-disk.", f"rm -f {_FILL}-*"),
    "no-python": ("There is no Python interpreter at /usr/bin/python3.", """
mv /usr/bin/python3 /usr/bin/.rampart-python3
"""),
    "heal-python": ("Undo no-python.", "mv /usr/bin/.rampart-python3 /usr/bin/python3"),
}  # fmt: skip
COMMON = {name: sentence for name, (sentence, _) in _SCRIPTS.items()}


def ssh_argv(folder: LabFolder, host: str, argv: Sequence[str], root: bool) -> list[str]:
    """ssh joins its words with spaces for the remote shell, so they are quoted here."""
    options = ["ssh", "-F", str(folder.ssh_config)]
    words = (["sudo", "--non-interactive", "--", *argv] if root else list(argv)) if argv else []
    return [*options, host, *(["--", shlex.join(words)] if words else [])]


def inject(driver: Driver, context: Context, host: HostPlan, fault: str) -> None:
    """Apply `name` or `name=value`. Raises LabError for an unknown fault and for one that did not take."""
    name, equals, value = fault.partition("=")
    key = name + equals
    if key in driver.faults():
        driver.inject(context, host, key)
        return
    if key not in _SCRIPTS or (equals and not value):
        known = (*COMMON, *driver.faults())
        near = difflib.get_close_matches(key, known, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise LabError(f"fault {fault!r} is not known{hint}; known are {', '.join(known)} (a trailing = wants a value)")
    argv = ["sh", "-euc", _SCRIPTS[key][1], "sh", value]
    command = ssh_argv(context.folder, host.name, argv, root=True)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise LabError(
            f"fault {fault} did not take on {host.name} (exit code {done.returncode}): {done.stderr.strip()}"
        )
