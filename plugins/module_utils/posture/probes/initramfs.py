# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""How the next initial RAM disk is made."""

from __future__ import annotations

import re

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

_FOLDER = "/etc/initramfs-tools"
_NAME = re.compile(r"[A-Za-z0-9_-]+(\.conf)?")


@probe("initramfs_settings", source="/etc/initramfs-tools/initramfs.conf and conf.d")
def initramfs_settings(host: Host, params: Params) -> dict[str, str]:
    """Return the settings of mkinitramfs by name; the later file wins. Absent without initramfs-tools.

    It reads the files of conf.d whose names run-parts would take, without or with `.conf`, in the order of their names.
    """
    if not host.exists(f"{_FOLDER}/initramfs.conf"):
        raise Absent(f"there is no {_FOLDER}/initramfs.conf")
    paths = [path for path in host.glob(f"{_FOLDER}/conf.d/*") if _NAME.fullmatch(path.rsplit("/", 1)[-1])]
    found = {}
    for path in [f"{_FOLDER}/initramfs.conf", *paths]:
        for name, value in re.findall(r"^\s*([A-Z_]+)=[\"']?([^\"'\s#]*)", host.read_text(path), re.M):
            found[name] = value
    return found
