# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What `nvidia-smi conf-compute -f`, `-d` and `-grs` print: the state of confidential computing."""

from __future__ import annotations

import re

from ansible_collections.rampart.fleet.plugins.module_utils.gpu.values import ParseError

_LINE = re.compile(r"^\s*(CC status|DevTools Mode|Confidential Compute GPUs? Ready state)\s*:\s*(.+?)\s*$", re.M | re.I)


def parse_conf_compute(text: str) -> str:
    """Return the one word that the answer is about, in lower case: on, off, ready, not ready.

    ParseError when the answer is another.
    """
    match = _LINE.search(text)
    if match is None:
        raise ParseError(f"nvidia-smi conf-compute: {text.strip()[:80]!r} names no state")
    return match.group(2).lower()
