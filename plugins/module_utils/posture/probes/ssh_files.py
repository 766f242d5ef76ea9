# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Files that sshd shows or computes with: the notice before the login, and the primes of group exchange."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.sshd_effective import effective
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe

# What getty puts in for the machine, the release, the system and the version; sshd shows them as they are.
_ESCAPES = re.compile(r"\\[mrsv]")
_MODULI = "/etc/ssh/moduli"


@probe("ssh_banner", source="the file that sshd -T names as Banner")
def ssh_banner(host: Host, params: Params) -> dict[str, Any]:
    """Return `{path, text, tells: [word]}`; `tells` are the words that say what system this is.

    Absent when sshd shows nothing or the file does not exist.
    """
    path = str(effective(host, None).get("banner", "none"))
    if path == "none":
        raise Absent("sshd has no Banner")
    text = host.read_text(path)
    release = dict(line.partition("=")[::2] for line in host.read_text("/etc/os-release").splitlines() if "=" in line)
    words = [release.get(name, "").strip('"') for name in ("ID", "VERSION_CODENAME", "PRETTY_NAME")]
    words.append(host.read_text("/proc/sys/kernel/osrelease").strip())
    told = [word for word in words if word and word.lower() in text.lower()]
    return {"path": path, "text": text[:1000], "tells": [*_ESCAPES.findall(text), *told]}


@probe("ssh_moduli", source="the file of primes of group exchange")
def ssh_moduli(host: Host, params: Params) -> dict[str, Any]:
    """Return `{path, count, smallest, offered}`: `smallest` in bits, `offered` says whether sshd offers group exchange,
    which is all that they serve. Absent when there is no such file."""
    found = effective(host, None)
    path = str(found.get("modulifile", _MODULI))
    # moduli(5): time, type, tests, tries, size less one, generator, modulus.
    lines = [line.split() for line in host.read_text(path).splitlines() if line.strip() and not line.startswith("#")]
    if any(len(fields) != 7 or not fields[4].isdigit() for fields in lines):
        raise ProbeError(f"{path} has a line that is none of moduli(5)")
    sizes = [int(fields[4]) + 1 for fields in lines]
    return {
        "path": path,
        "count": len(sizes),
        "smallest": min(sizes, default=0),
        "offered": any("group-exchange" in str(name) for name in found.get("kexalgorithms", [])),
    }
