# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Documentation that the modules which measure share: whose controls, and what the action asks of the host."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of rampart.fleet.posture and rampart.fleet.posture_vantage, and what both state of themselves."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    support: full
    details: It only looks, so that check mode gives the same result.
  diff_mode:
    support: none
    details: Nothing is changed.
  idempotent:
    support: full
options:
  roles:
    description:
      - Roles whose controls are measured.
      - Without it, the host's variable C(rampart_roles).
    type: list
    elements: str
  ids:
    description: Measures only these controls, by their ids (and those of O(areas)).
    type: list
    elements: str
    default: []
  areas:
    description: Measures only the controls of these areas, the middle part of their ids (and those of O(ids)).
    type: list
    elements: str
    default: []
  catalogue_paths:
    description:
      - Further folders on the controller that hold C(<role>/controls/*.yml).
      - Without it, the host's variable C(posture_catalogue_paths), if there is one.
    type: list
    elements: path
  probes:
    description: What to measure. The action fills it in; it is not for tasks.
    type: list
    elements: dict
    default: []
    suboptions:
      key:
        description: Name under which the observation is returned.
        type: str
        required: true
      kind:
        description: Kind of probe, or of what another host sees.
        type: str
        required: true
      params:
        description: Parameters of the kind.
        type: dict
        default: {}
      timeout_s:
        description: Time in seconds of a normal host for it.
        type: float
        default: 5
"""
