# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The packet filter as the kernel has it: all tables of nftables, of all owners."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.firewall.expressions import has, rule_text, verdict
from ansible_collections.rampart.fleet.plugins.module_utils.firewall.ruleset import NftFormatError, Ruleset, parse
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe


@probe("nftables", optional=("hook", "table"), source="nft -j list ruleset")
def nftables(host: Host, params: Params) -> dict[str, Any]:
    """Return `{base_chains: [{family, table, name, hook, prio, policy}], rules: [{family, table, chain, text,
    verdict, limited, logged, counted, comment}], counts: {tables, chains, rules, sets}}`.

    `hook` limits the answer to the base chains of a hook and the rules of those; `table` to a table by name.
    """
    ruleset = listing(host)
    chains = [body for body in ruleset.base_chains(params.get("hook")) if params.get("table") in (None, body["table"])]
    kept = {(body["family"], body["table"], body["name"]) for body in chains}
    rules = [rule for rule in ruleset.of("rule") if params.get("table") in (None, rule["table"])]
    if "hook" in params:
        rules = [rule for rule in rules if (rule["family"], rule["table"], rule["chain"]) in kept]
    names = ("family", "table", "name", "hook", "prio", "policy")
    return {
        "base_chains": [{name: body.get(name) for name in names} for body in chains],
        "rules": [_rule(rule) for rule in rules],
        "counts": {kind + "s": len(ruleset.of(kind)) for kind in ("table", "chain", "rule", "set")},
    }


def listing(host: Host) -> Ruleset:
    """Return the kernel's ruleset; Absent when nft is not installed, ProbeError when it cannot list."""
    if host.which("nft") is None:
        raise Absent("nft is not installed")
    answer = host.run(["nft", "-j", "list", "ruleset"]).require_ok()
    try:
        return parse(answer.stdout)
    except NftFormatError as error:
        raise ProbeError(str(error)) from None


def _rule(rule: Any) -> dict[str, Any]:
    expressions = rule.get("expr", [])
    return {
        "family": rule["family"], "table": rule["table"], "chain": rule["chain"], "text": rule_text(expressions),
        "verdict": verdict(expressions) or "none", "limited": has(expressions, "limit"),
        "logged": has(expressions, "log"),
        "counted": has(expressions, "counter"), "comment": rule.get("comment", ""),
    }  # fmt: skip
