# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Type, mode and owner of files that are named."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe


@probe("file", required=("path",), source="stat {path}")
def file(host: Host, params: Params) -> dict[str, Any]:
    """Return {type, mode: "0640", owner, group, uid, gid, size, link}; Absent when there is nothing at the path.

    Links are followed and `link` says that there was one; owner and group are null for a number without a name. A link
    that leads nowhere is of type `link`.
    """
    return describe(host, str(params["path"]))


@probe("files", required=("globs",), optional=("type",), source="stat {globs}")
def files(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return the same with `path` for everything that the shell patterns `globs` match, each path once, by path.

    `type` keeps only file, directory, and so on. An empty list when nothing matches.
    """
    paths = sorted({path for pattern in params["globs"] for path in host.glob(str(pattern))})
    return [one for one in described(host, paths) if params.get("type") in (None, one["type"])]


def described(host: Host, paths: Iterable[str]) -> list[dict[str, Any]]:
    """Return the value of `file` with `path` for each path that is still there: logs rotate while they are listed."""
    found = []
    for path in paths:
        host.check_deadline()
        with suppress(Absent):
            found.append({"path": path, **describe(host, path)})
    return found


def describe(host: Host, path: str) -> dict[str, Any]:
    """Return the value of `file` for a path."""
    itself = host.stat(path, follow=False)
    status = itself
    if itself.type == "link":
        try:
            status = host.stat(path)
        except Absent:
            status = itself
    return {
        "type": status.type,
        "mode": status.octal,
        "owner": host.user_name(status.uid),
        "group": host.group_name(status.gid),
        "uid": status.uid,
        "gid": status.gid,
        "size": status.size,
        "link": itself.type == "link",
    }
