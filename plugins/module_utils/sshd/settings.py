# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The settings of a site as the lines of a drop-in, limited to what the installed sshd knows.

An algorithm or a keyword that this version does not have would keep sshd from starting
(ansible-lockdown/UBUNTU22-CIS#170).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# What `ssh -Q` answers for each keyword that takes a comma list of algorithms.
QUERIES = {
    "KexAlgorithms": "kex",
    "Ciphers": "cipher",
    "MACs": "mac",
    "HostKeyAlgorithms": "HostKeyAlgorithms",
    "PubkeyAcceptedAlgorithms": "PubkeyAcceptedAlgorithms",
    "CASignatureAlgorithms": "sig",
}
# Keywords that `sshd -T` never prints; that they are in force shows elsewhere (DebianBanner: in the greeting).
UNPRINTED = ("DebianBanner",)
_ONE_A_LINE = ("HostKey", "ListenAddress", "Port", "AcceptEnv")


class SettingsError(ValueError):
    """Settings that this sshd cannot have; the message names the keyword."""


def supported(
    wanted: Mapping[str, Any], algorithms: Mapping[str, Sequence[str]], keywords: Sequence[str], optional: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """Return the settings that the installed sshd can have, and what was left out, in words.

    `algorithms` has what each keyword of QUERIES may hold, `keywords` what it takes (lower case); an `optional`
    keyword that is not among these is left out, any other is for sshd itself to refuse. Raises SettingsError when none
    of the algorithms of a keyword is known, since sshd would then offer its own.
    """
    kept: dict[str, Any] = {}
    left_out = []
    for keyword, value in wanted.items():
        if value is None:
            continue
        if keyword.lower() not in keywords and keyword in optional:
            left_out.append(f"{keyword} (this sshd does not know it)")
            continue
        if keyword in QUERIES and isinstance(value, (list, tuple)):
            known = [name for name in value if name in algorithms[keyword]]
            missing = [name for name in value if name not in known]
            if not known:
                raise SettingsError(
                    "{}: this sshd knows none of {}; it knows {}".format(
                        keyword, ", ".join(value), ", ".join(algorithms[keyword])
                    )
                )
            left_out.extend(f"{name} of {keyword}" for name in missing)
            value = known
        kept[keyword] = value
    return kept, left_out


def render(settings: Mapping[str, Any], header: str) -> str:
    """Return the text of the drop-in."""
    lines = ["# " + line if line else "#" for line in header.strip().splitlines()]
    for keyword, value in settings.items():
        if isinstance(value, (list, tuple)):
            if keyword in QUERIES:
                lines.append("{} {}".format(keyword, ",".join(value)))
            elif keyword in _ONE_A_LINE:
                lines.extend(f"{keyword} {member}" for member in value)
            elif value:
                lines.append("{} {}".format(keyword, " ".join(str(member) for member in value)))
        else:
            lines.append(f"{keyword} {_text(value)}")
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    if "\n" in text:
        raise SettingsError(f"the value {text!r} has more than one line; a line could smuggle in another keyword")
    return text
