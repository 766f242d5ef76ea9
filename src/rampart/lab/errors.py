# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The one exception of the lab, so that the command line can show a message instead of a stack."""

from __future__ import annotations


class LabError(Exception):
    """Something the user can act on: what is wrong, the value found, the value wanted, what to do."""
