# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the security bulletins say of an installed version: which it lacks, and whether fixes still come."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.rampart.fleet.plugins.module_utils.gpu.nvidia_bulletins import FLOORS, Floor
from ansible_collections.rampart.fleet.plugins.module_utils.posture.versions import at_least


@dataclass(frozen=True)
class Standing:
    """`fixed_in` is empty where no bulletin names the branch; `open_bulletins` are those that the version lacks."""

    version: str
    branch: str
    fixed_in: str
    open_bulletins: tuple[str, ...]
    branch_is_maintained: bool


def standing(product: str, version: str) -> Standing:
    """Return how a version of driver, container_toolkit or dcgm stands; ValueError for a version that is none."""
    bare = upstream(version)
    branches = FLOORS[product]
    branch = f"R{bare.partition('.')[0]}" if "" not in branches else ""
    floor = branches.get(branch)
    newest = max(branches.values(), key=lambda each: (each.date, each.bulletin)).bulletin
    missing = (floor.bulletin,) if floor is not None and not at_least(bare, floor.fixed) else ()
    return Standing(
        version=bare,
        branch=branch,
        fixed_in=floor.fixed if floor else "",
        open_bulletins=missing,
        # One that is newer than every branch with a bulletin has none yet.
        branch_is_maintained=floor.bulletin == newest if floor else _is_newest(branch, branches),
    )


def upstream(version: str) -> str:
    """Return the vendor's version of a package's; ValueError when there is none in it."""
    bare = version.partition(":")[2] or version
    match = re.match(r"[0-9]+(?:\.[0-9]+)+", bare)
    if match is None:
        raise ValueError(f"{version!r} is no version")
    return match.group(0)


def _is_newest(branch: str, branches: Mapping[str, Floor]) -> bool:
    return all(_number(branch) > _number(each) for each in branches)


def _number(branch: str) -> int:
    return int(branch[1:] or 0)
