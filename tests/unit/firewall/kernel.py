# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A kernel to load rulesets into: a network namespace that ends with the command."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.firewall.ruleset import Ruleset, parse

needs_kernel = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nft") is None, reason="needs root and nft, for a network namespace of its own"
)


def loaded(*texts: str) -> Ruleset:
    """Return what the kernel has after loading the texts one after another."""
    script = "\n".join([*("nft -f - <<'END'\n" + text + "\nEND" for text in texts), "nft -j list ruleset"])
    done = subprocess.run(
        ["unshare", "--net", "--", "sh", "-euc", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return parse(done.stdout)
