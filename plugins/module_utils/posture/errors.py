# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What a probe may raise: the subject does not exist, it cannot tell, or time ran out."""

from __future__ import annotations


class Absent(Exception):
    """The subject of the measurement does not exist on this host; the message says what was looked for and where."""


class ProbeError(Exception):
    """The probe cannot tell; the message says what was tried, what was found, and what was wanted."""


class ToolMissing(ProbeError):
    """A command is not installed. A probe turns this into `Absent` only where the tool is itself the subject."""


class ProbeTimeout(Exception):
    """The probe's share of the time ran out before there was an answer."""
