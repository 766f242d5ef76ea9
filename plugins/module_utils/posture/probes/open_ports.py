# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the packet filter lets through, as protocol, port, sources and interface, whoever's tables decide."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.firewall.accepts import accepts
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.nftables import listing, listing_at_boot
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_SCOPES = ("world", "scoped", "loopback")


@probe(
    "open_ports", optional=("hook", "scope", "path"), source="nft -j list ruleset, what the {hook} chains accept {path}"
)
def open_ports(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return `{proto, port, sources, interface, family, scope, service, width, table, chain, rule}` for each way in.

    `hook` is `input` (default), `output` or `forward`; on output `sources` holds the destinations. `scope` is
    `world` (no source and no interface is named), `scoped` or `loopback`, and limits the answer. `service` is such
    as `tcp/22`, `width` a count of ports. With `path` it is what that file would let in once it is loaded at boot. The
    answer is an upper bound: rules that drop before an accepting one are not subtracted.
    """
    scope = params.get("scope")
    if scope not in (None, *_SCOPES):
        raise ProbeError("open_ports has the scope {!r}; wanted one of {}".format(scope, ", ".join(_SCOPES)))
    ruleset = listing_at_boot(host, str(params["path"])) if "path" in params else listing(host)
    ways = accepts(ruleset, str(params.get("hook", "input")))
    return [way.as_json() for way in ways if scope in (None, way.scope)]
