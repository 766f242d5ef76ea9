# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The processors: model, topology, microcode, and the flaws that the kernel knows of them."""

from __future__ import annotations

import re

from ansible_collections.rampart.fleet.plugins.module_utils.hardware.facts import Processor
from ansible_collections.rampart.fleet.plugins.module_utils.hardware.reading import names, word
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host

_SYSTEM = "/sys/devices/system"
_FIELD = re.compile(r"^([a-z][a-z_ ]*?)\s*:[ \t]*(.*)$", re.M)


def read(host: Host) -> Processor:
    """Return the processors that are online."""
    nodes = [name for name in names(host, f"{_SYSTEM}/node") if re.fullmatch(r"node\d+", name)]
    return parse(host.read_text("/proc/cpuinfo"), word(host, f"{_SYSTEM}/cpu/offline"), len(nodes) or 1)


def parse(cpuinfo: str, offline: str = "", numa_nodes: int = 1) -> Processor:
    """Return what /proc/cpuinfo says; ProbeError when it names no processor of x86 with its place in a socket."""
    threads = [dict(_FIELD.findall(block)) for block in re.split(r"\n\s*\n", cpuinfo) if "processor" in block]
    threads = [thread for thread in threads if "vendor_id" in thread]
    if not threads:
        raise ProbeError("/proc/cpuinfo names no processor of x86: its model and topology are not known here")
    first = threads[0]
    places = {(thread.get("physical id", "0"), thread.get("core id", thread.get("processor"))) for thread in threads}
    return Processor(
        vendor=first["vendor_id"],
        model=" ".join(first.get("model name", "").split()),
        signature="-".join(_hexadecimal(first.get(name, "")) for name in ("cpu family", "model", "stepping")),
        sockets=len({socket for socket, _unused in places}),
        cores=len(places),
        threads=len(threads),
        offline=offline,
        numa_nodes=numa_nodes,
        microcode=tuple(sorted({thread["microcode"] for thread in threads if "microcode" in thread})),
    )


def _hexadecimal(text: str) -> str:
    return f"{int(text):02x}" if re.fullmatch(r"[0-9]{1,9}", text) else "??"
