# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The packet filter as the kernel has it: all tables of nftables, of all owners."""

from __future__ import annotations

from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.firewall.expressions import has, rule_text, verdict
from ansible_collections.rampart.fleet.plugins.module_utils.firewall.ruleset import (
    NftFormatError,
    Ruleset,
    lines,
    parse,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.posture.subject import require_subject


@probe("nftables", optional=("hook", "table"), source="nft -j list ruleset")
def nftables(host: Host, params: Params) -> dict[str, Any]:
    """Return `{base_chains: [{family, table, name, hook, prio, policy}], rules: [{family, table, chain, text, verdict,
    limited, logged, counted, comment}], texts, logs, unlimited_logs, unlimited_echo, neighbours, counts}`.

    `hook` limits the answer to the base chains of a hook and the rules of those; `table` to a table by name. `texts`
    are those of the rules, `logs` the number that log, `unlimited_logs` and `unlimited_echo` the texts of those that
    log, or accept echo requests, without a limit, `neighbours` of those that accept neighbour discovery; `counts` is
    `{tables, chains, rules, sets}` of the whole ruleset.
    """
    ruleset = listing(host)
    chains = [body for body in ruleset.base_chains(params.get("hook")) if params.get("table") in (None, body["table"])]
    rules = [_rule(rule) for rule in _selected(ruleset, params, chains)]
    names = ("family", "table", "name", "hook", "prio", "policy")
    echo = [rule for rule in rules if "echo-request" in rule["text"] and rule["verdict"] == "accept"]
    return {
        "base_chains": [{name: body.get(name) for name in names} for body in chains],
        "rules": rules,
        "texts": [rule["text"] for rule in rules],
        "logs": sum(rule["logged"] for rule in rules),
        "unlimited_logs": [rule["text"] for rule in rules if rule["logged"] and not rule["limited"]],
        "neighbours": [rule["text"] for rule in rules if "nd-neighbor" in rule["text"] and rule["verdict"] == "accept"],
        "unlimited_echo": [rule["text"] for rule in echo if not rule["limited"]],
        "counts": {kind + "s": len(ruleset.of(kind)) for kind in ("table", "chain", "rule", "set")},
    }


@probe("nftables_persistent", required=("path", "table"), source="{path}, loaded in a network namespace of its own")
def nftables_persistent(host: Host, params: Params) -> dict[str, Any]:
    """Return `{differences: [text], hooks: [name]}`: how `table inet {table}` of the kernel differs from what the file
    would load at boot, and the hooks of the base chains that it would load.

    The file is loaded in a scratch network namespace, so that the kernel itself says what it means; counters,
    handles and the elements of dynamic sets do not count. Absent when the file or the kernel's table does not exist.
    """
    name = str(params["table"])
    loaded, now = _own(listing_at_boot(host, str(params["path"])), name), _own(listing(host), name)
    if not now.objects:
        raise Absent(f"the kernel has no table inet {name}")
    boot, kernel = lines(loaded), lines(now)
    missing = [f"at boot only: {line}" for line in boot if line not in kernel]
    extra = [f"in the kernel only: {line}" for line in kernel if line not in boot]
    moved = [] if missing or extra or boot == kernel else ["the same rules stand in another order"]
    hooks = sorted({str(body["hook"]) for body in loaded.base_chains()})
    return {"differences": missing + extra + moved, "hooks": hooks}


def listing_at_boot(host: Host, path: str) -> Ruleset:
    """Return what a file loads, as the kernel has it in a network namespace of its own. Raises Absent or ProbeError."""
    argv = ["unshare", "--net", "--", "sh", "-c", "nft -f - && nft -j list ruleset"]
    try:
        return parse(host.run(argv, stdin=host.read_text(path)).require_ok().stdout)
    except NftFormatError as error:
        raise ProbeError(str(error)) from None


def _own(ruleset: Ruleset, table: str) -> Ruleset:
    return Ruleset(tuple((kind, body) for kind, body in ruleset.objects if _belongs(kind, body, table)))


def _belongs(kind: str, body: Any, table: str) -> bool:
    return bool(body.get("family") == "inet" and body.get("name" if kind == "table" else "table") == table)


def _selected(ruleset: Ruleset, params: Params, chains: Any) -> list[Any]:
    rules = [rule for rule in ruleset.of("rule") if params.get("table") in (None, rule["table"])]
    if "hook" not in params:
        return rules
    kept = {(body["family"], body["table"], body["name"]) for body in chains}
    return [rule for rule in rules if (rule["family"], rule["table"], rule["chain"]) in kept]


def listing(host: Host) -> Ruleset:
    """Return the kernel's ruleset; Absent when nft is not installed, ProbeError when it cannot list."""
    require_subject(host, "nft", "nftables", "nft is not installed")
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
