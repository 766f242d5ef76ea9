# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Tables of the old iptables, which the kernel keeps beside nftables, and which no listing of nft shows."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe


@probe("legacy_iptables", source="/proc/net/ip_tables_names, ip6_tables_names")
def legacy_iptables(host: Host, params: Params) -> dict[str, Any]:
    """Return `{tables: [name]}` such as `ip filter`: those that somebody has used since the boot.

    A kernel without the modules has no such files and no tables.
    """
    tables = []
    for family, name in (("ip", "ip_tables_names"), ("ip6", "ip6_tables_names")):
        try:
            tables += [f"{family} {table}" for table in host.read_text(f"/proc/net/{name}").split()]
        except Absent:
            continue
    return {"tables": sorted(tables)}
