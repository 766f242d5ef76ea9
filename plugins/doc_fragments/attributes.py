# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Documentation that modules share: what the attributes mean."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes that every module and action of the collection states."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Runs in check mode and says what it would change, without changing it.
  diff_mode:
    description: Returns in diff mode what changed or would change.
  idempotent:
    description: A second run with the same parameters changes nothing.
  platform:
    description: Operating systems of the hosts that it works on.
    support: full
    platforms: debian
"""

    READ_ONLY = r"""
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
"""
