# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Real test hosts on one machine: containers by systemd-nspawn, or virtual machines by QEMU.

The package imports nothing of the collection; `Lab` in `rampart.lab.lab` is its Python interface.
"""

from rampart.lab.errors import LabError
from rampart.lab.lab import Lab

__all__ = ["Lab", "LabError"]
