# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The NVIDIA container toolkit as it is configured, and the CDI specifications that say what a container gets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.gpu.ask import require_nvidia
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.files import describe, described
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.package import installed, matching
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_CONFIG = "/etc/nvidia-container-runtime/config.toml"
_PACKAGES = ["nvidia-container-toolkit*", "libnvidia-container-tools"]
# What the toolkit does where its file says nothing (internal/config of NVIDIA/nvidia-container-toolkit).
_DEFAULTS: dict[str, Any] = {
    "accept-nvidia-visible-devices-envvar-when-unprivileged": True,
    "nvidia-container-cli.no-cgroups": False,
    "nvidia-container-cli.ldconfig": "@/sbin/ldconfig",
    "nvidia-container-runtime.mode": "auto",
    "features.allow-cuda-compat-libs-from-container": False,
    "features.allow-ldconfig-from-container": False,
}
_LOGS = ("nvidia-container-cli.debug", "nvidia-container-runtime.debug")
_SPECS = ("/etc/cdi/*.yaml", "/etc/cdi/*.json", "/run/cdi/*.yaml", "/run/cdi/*.json")
# A device node of a specification, in YAML or JSON.
_NODE = re.compile(r'^\s*(?:-\s+)?"?(?:path|hostPath)"?\s*:\s*"?(/dev/[^"\s,}]+)', re.M)


@probe("container_toolkit", source="/etc/nvidia-container-runtime/config.toml")
def container_toolkit(host: Host, params: Params) -> dict[str, Any]:
    """Return {settings: {dotted name: value}, debug_logs: [], file: {mode, owner, group} or null} with its defaults.

    Absent when the toolkit is not installed.
    """
    require_nvidia(host)
    written = host.exists(_CONFIG)
    if not written and not matching(_packages(host), _PACKAGES):
        raise Absent("the NVIDIA container toolkit is not installed")
    settings = {**_DEFAULTS, **(_flat(_toml(host.read_text(_CONFIG))) if written else {})}
    return {
        "settings": {name: settings[name] for name in _DEFAULTS},
        "debug_logs": sorted(name for name in _LOGS if settings.get(name)),
        "file": describe(host, _CONFIG) if written else None,
    }


@probe("cdi_specs", source="/etc/cdi, /run/cdi")
def cdi_specs(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return [{path, mode, owner, group, missing: [device files that it names and that are not there]}].

    Absent when there is none.
    """
    require_nvidia(host)
    found = described(host, sorted({path for pattern in _SPECS for path in host.glob(pattern)}))
    if not found:
        raise Absent("there is no CDI specification")
    return [
        {
            **{key: one[key] for key in ("path", "mode", "owner", "group")},
            "missing": [node for node in _nodes(host, str(one["path"])) if not host.exists(node)],
        }
        for one in found
    ]


def _nodes(host: Host, path: str) -> list[str]:
    return sorted(set(_NODE.findall(host.read_text(path))))


def _packages(host: Host) -> Mapping[str, Any]:
    try:
        return installed(host)
    except Absent:
        return {}


def _toml(text: str) -> Mapping[str, Any]:
    try:
        import tomllib
    except ImportError:
        raise ProbeError(f"{_CONFIG}: Python 3.11 or newer is needed to read it") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProbeError(f"{_CONFIG}: {error}") from None


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat
