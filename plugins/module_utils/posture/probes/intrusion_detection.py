# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Intrusion detection: what the engine makes of a line, who asks it for decisions, and what the kernel has of them."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.firewall.expressions import rule_text
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.listening_sockets import (
    listening_sockets,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.nftables import listing
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_TABLE = "rampart_ids"
_BOUNCER = "/run/rampart-ids-bouncer/state.json"
_NAMED = 50
_SCENARIO = re.compile(r"\U0001f7e2 (\S+)\s*$")


@probe("ids_line", required=("line",), source="cscli explain --type syslog --log '{line}'")
def ids_line(host: Host, params: Params) -> dict[str, Any]:
    """Return `{parsed, spared, scenarios: [name]}`: what the engine's parsers and scenarios make of a line of a log.

    `spared` says that a list of allowed sources takes the line out. Absent when CrowdSec is not installed.
    """
    _installed(host)
    answer = host.run(["cscli", "explain", "--type", "syslog", "--log", str(params["line"])], timeout=20).require_ok()
    text = answer.stdout
    if "s01-parse" not in text:
        raise ProbeError(f"cscli explain answered what is no explanation: {text.strip()[:200]!r}")
    _before, _mark, scenarios = text.partition("Scenarios")
    found = (_SCENARIO.search(line) for line in scenarios.splitlines())
    return {
        "parsed": "parser success" in text,
        "spared": "[whitelisted]" in text,
        "scenarios": sorted({match.group(1) for match in found if match}),
    }


@probe("ids_engine", source="cscli bouncers list; cscli decisions list; journalctl children of crowdsec.service")
def ids_engine(host: Host, params: Params) -> dict[str, Any]:
    """Return `{pulled_s, others: [bouncer], decisions: [network], unenforced: [network], cloud, reads: [unit],
    listens: [{address, port}], exposed: [the same, not loopback]}` of the engine that runs.

    `pulled_s` is how long ago Rampart's bouncer asked last, null when never; `unenforced` are bans that neither the
    kernel's sets nor the allow-list have; `cloud` says that the engine has an account at the maker's cloud; `reads` are
    the units whose journal its processes follow now. Absent when CrowdSec is not installed.
    """
    _installed(host)
    now = _now(host)
    bouncers = {
        str(one["name"]): round(now - _time(host, str(one["last_pull"])), 1)
        for one in _listed(host, "bouncers")
        if not one.get("revoked")
    }
    alerts = _listed(host, "decisions")
    decided = {
        ipaddress.ip_network(str(one["value"]), strict=False)
        for alert in alerts
        for one in alert.get("decisions") or []
        if one.get("type") == "ban" and not str(one.get("duration", "")).startswith("-")
    }
    bodies = _bodies(host)
    held = [one for prefix in ("banned", "allowed") for one, _end in _elements(bodies, prefix)]
    sockets = [one for one in listening_sockets(host, {}) if one["process"] == "crowdsec"]
    return {
        "pulled_s": bouncers.get("rampart-bouncer"),
        "others": sorted(set(bouncers) - {"rampart-bouncer"}),
        "decisions": sorted(str(one) for one in decided)[:_NAMED],
        "unenforced": sorted(str(one) for one in decided if not any(_overlap(one, two) for two in held))[:_NAMED],
        "cloud": _cloud(host),
        "reads": _reads(host),
        "listens": [{"address": one["address"], "port": one["port"]} for one in sockets],
        "exposed": [{"address": one["address"], "port": one["port"]} for one in sockets if not one["loopback"]],
    }


@probe("ids_bans", source=f"nft -j list ruleset: table inet {_TABLE}; {_BOUNCER}")
def ids_bans(host: Host, params: Params) -> dict[str, Any]:
    """Return `{told_s, pulled_s, trouble, spared, drops, hooked, prio, spares_first, allowed: [network],
    banned: [network], timeless: [network], banned_allowed: [network]}` of the bouncer and the kernel's table.

    `told_s` and `pulled_s` are the seconds since the bouncer's last cycle and its last good one. `drops` are the texts
    of the rules that drop banned sources; `timeless` are bans that would never end. Absent when there is no such table.
    """
    bodies = _bodies(host)
    if not bodies:
        raise Absent(f"the kernel has no table inet {_TABLE}")
    texts = [rule_text(body.get("expr", [])) for kind, body in bodies if kind == "rule"]
    hooks = [body for kind, body in bodies if kind == "chain" and body.get("hook") == "input"]
    allowed = [one for one, _end in _elements(bodies, "allowed")]
    bans = _elements(bodies, "banned")
    return {
        **_bouncer(host),
        "hooked": bool(hooks),
        "prio": hooks[0].get("prio") if hooks else None,
        "drops": [text for text in texts if "@banned" in text and text.endswith("drop")],
        "spares_first": _first(texts, "@allowed") < _first(texts, "@banned"),
        "allowed": [str(one) for one in allowed][:_NAMED],
        "banned": [str(one) for one, _end in bans][:_NAMED],
        "timeless": [str(one) for one, ends in bans if not ends][:_NAMED],
        "banned_allowed": [str(one) for one, _end in bans if any(_overlap(one, free) for free in allowed)],
    }


def _bodies(host: Host) -> list[tuple[str, Any]]:
    return [(kind, body) for kind, body in listing(host).objects if body.get("table") == _TABLE]


def _installed(host: Host) -> None:
    if host.which("cscli") is None:
        raise Absent("crowdsec is not installed")


def _listed(host: Host, what: str) -> list[dict[str, Any]]:
    answer = host.run(["cscli", what, "list", "-o", "json"], timeout=10).require_ok()
    try:
        found = json.loads(answer.stdout.strip() or "null")
    except ValueError:
        raise ProbeError(f"cscli {what} list -o json said what is no JSON: {answer.stdout[:80]!r}") from None
    if found is not None and not isinstance(found, list):
        raise ProbeError(f"cscli {what} list -o json said what is no list: {answer.stdout[:80]!r}")
    return [one for one in found or [] if isinstance(one, dict)]


def _cloud(host: Host) -> bool:
    try:
        text = host.read_text("/etc/crowdsec/online_api_credentials.yaml")
    except Absent:
        return False
    return any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines())


def _reads(host: Host) -> list[str]:
    """Return the units that journalctl processes in the engine's own control group follow."""
    shown = host.run(["systemctl", "show", "-P", "ControlGroup", "crowdsec.service"]).require_ok().stdout.strip()
    if not shown:
        return []
    units = set()
    for pid in host.read_text(f"/sys/fs/cgroup{shown}/cgroup.procs").split():
        try:
            words = host.read_text(f"/proc/{pid}/cmdline").split("\0")
        except Absent:
            continue
        units |= {word.partition("=")[2] for word in words if word.startswith("_SYSTEMD_UNIT=")}
    return sorted(units)


def _bouncer(host: Host) -> dict[str, Any]:
    nothing: dict[str, Any] = {
        "told_s": None,
        "pulled_s": None,
        "trouble": "the bouncer never told anything",
        "spared": [],
    }
    try:
        state = json.loads(host.read_text(_BOUNCER))
        now = _now(host)
        return {
            "told_s": round(now - float(state["told"]), 1),
            "pulled_s": round(now - float(state["pulled"]), 1),
            "trouble": str(state["trouble"]),
            "spared": list(state["spared"]),
        }
    except Absent:
        return nothing
    except (ValueError, KeyError, TypeError) as error:
        raise ProbeError(f"{_BOUNCER} is damaged: {type(error).__name__}: {error}") from None


def _elements(bodies: list[tuple[str, Any]], prefix: str) -> list[tuple[Any, bool]]:
    found = []
    for kind, body in bodies:
        if kind != "set" or not str(body.get("name", "")).startswith(prefix):
            continue
        for element in body.get("elem", []):
            detail = element.get("elem") if isinstance(element, dict) and "elem" in element else None
            value = detail["val"] if detail else element
            found += [(one, bool(detail and ("expires" in detail or "timeout" in detail))) for one in _networks(value)]
    return found


def _networks(value: Any) -> list[Any]:
    if isinstance(value, dict) and "prefix" in value:
        return [ipaddress.ip_network(f"{value['prefix']['addr']}/{value['prefix']['len']}")]
    if isinstance(value, dict) and "range" in value:
        first, last = (ipaddress.ip_address(end) for end in value["range"])
        return list(ipaddress.summarize_address_range(first, last))
    try:
        return [ipaddress.ip_network(value)]
    except (TypeError, ValueError):
        raise ProbeError(f"a set of table inet {_TABLE} has an element that is no network: {value!r}") from None


def _overlap(one: Any, other: Any) -> bool:
    return bool(one.version == other.version and one.overlaps(other))


def _first(texts: list[str], word: str) -> int:
    return next((place for place, text in enumerate(texts) if word in text), len(texts))


def _now(host: Host) -> float:
    said = host.run(["date", "+%s"]).require_ok().stdout.strip()
    if not said.isdigit():
        raise ProbeError(f"date +%s said '{said[:40]}', wanted seconds")
    return float(said)


def _time(host: Host, text: str) -> float:
    said = host.run(["date", "-d", text, "+%s"]).require_ok().stdout.strip()
    return float(said)
