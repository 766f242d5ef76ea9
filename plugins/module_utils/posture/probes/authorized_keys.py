# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Every public key that opens an account over SSH, and the SSH host's own keys, with type and strength read from the
key itself."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterator
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import FileStat, Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.sshd_effective import effective
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.sshd.effective import key_files

_FIXED_BITS = {
    "ssh-ed25519": 256,
    "ssh-dss": 1024,
    "sk-ssh-ed25519@openssh.com": 256,
    "sk-ecdsa-sha2-nistp256@openssh.com": 256,
}
_PREFIXES = ("ssh-", "ecdsa-", "sk-")


@probe("authorized_keys", source="the files of AuthorizedKeysFile of every account")
def authorized_keys(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return `{user, path, mode, owner, type, bits, strength, comment, options, owner_ok, folder_mode}` for each key.

    `owner_ok` says that the file belongs to the account or to root. A line that holds no readable key has type
    `unreadable` and 0 bits.
    """
    result: list[dict[str, Any]] = []
    for user, uid, home in _accounts(host):
        for path in _files(host, user, home):
            try:
                status, text = host.stat(path), host.read_text(path)
            except Absent:
                continue
            result.extend(_of_file(host, user, uid, path, status, text))
    return result


@probe("ssh_host_keys", source="the keys that sshd -T names as HostKey")
def ssh_host_keys(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return `{path, type, bits, strength, mode, owner, group}` of each host key that exists; mode and owner are of the
    private file."""
    result = []
    for path in effective(host, None).get("hostkey", []):
        try:
            status, text = host.stat(path), host.read_text(path + ".pub")
        except Absent:
            continue
        kind, bits, _unused = key_of(text.strip())
        owner, group = host.user_name(status.uid), host.group_name(status.gid)
        result.append({"path": path, "type": kind, "bits": bits, "strength": strength(kind, bits)})
        result[-1].update(mode=status.octal, owner=owner, group=group)
    return result


def strength(kind: str, bits: int) -> int:
    """Return the security of a key in bits, from NIST SP 800-57 part 1 revision 5, table 2; 0 for what is not known."""
    if kind in ("ssh-rsa", "ssh-dss"):
        steps = ((15360, 256), (7680, 192), (3072, 128), (2048, 112), (1024, 80))
        return next((level for floor, level in steps if bits >= floor), 0)
    return bits // 2


def key_of(line: str) -> tuple[str, int, str]:
    """Return type, bits and comment of a line of an authorized_keys file; the size of RSA is that of its modulus."""
    fields = _fields(line)
    for index, word in enumerate(fields[:-1]):
        if word.startswith(_PREFIXES):
            bits = _bits(word, fields[index + 1])
            return (word, bits, " ".join(fields[index + 2 :])) if bits else ("unreadable", 0, line[:60])
    return "unreadable", 0, line[:60]


def _fields(line: str) -> list[str]:
    """Split at blanks outside of double quotes, which options may hold."""
    fields, current, quoted = [], "", False
    for letter in line:
        quoted = quoted != (letter == '"')
        if letter in " \t" and not quoted:
            fields.append(current)
            current = ""
        else:
            current += letter
    return [field for field in [*fields, current] if field]


def _bits(kind: str, blob: str) -> int:
    try:
        parts = list(_parts(base64.b64decode(blob, validate=True)))
    except (binascii.Error, struct.error, ValueError):
        return 0
    if not parts or parts[0] != kind.encode():
        return 0
    if kind == "ssh-rsa" and len(parts) >= 3:
        return int.from_bytes(parts[2], "big").bit_length()
    if kind.startswith("ecdsa-sha2-nistp"):
        digits = kind[len("ecdsa-sha2-nistp") :].partition("-")[0]
        return int(digits) if digits.isdigit() else 0
    return _FIXED_BITS.get(kind, 256 if "cert" in kind else 0)


def _parts(data: bytes) -> Iterator[bytes]:
    offset = 0
    while offset < len(data):
        (length,) = struct.unpack_from(">I", data, offset)
        if offset + 4 + length > len(data):
            raise ValueError("the key is cut off")
        yield data[offset + 4 : offset + 4 + length]
        offset += 4 + length


def _of_file(host: Host, user: str, uid: int, path: str, status: FileStat, text: str) -> Iterator[dict[str, Any]]:
    folder = host.stat(path.rpartition("/")[0] or "/")
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        kind, bits, comment = key_of(line)
        yield {
            "user": user, "path": path, "mode": status.octal, "owner": host.user_name(status.uid) or str(status.uid),
            "owner_ok": status.uid in (0, uid), "folder_mode": folder.octal,
            "type": kind, "bits": bits, "strength": strength(kind, bits), "comment": comment,
            "options": not line.startswith(_PREFIXES),
        }  # fmt: skip


def _files(host: Host, user: str, home: str) -> list[str]:
    return key_files(effective(host, {"user": user}).get("authorizedkeysfile", []), user, home)


def _accounts(host: Host) -> list[tuple[str, int, str]]:
    """Return name, uid and home of every account whose home is there; only those can have keys beside their home."""
    result = []
    for line in host.read_text("/etc/passwd").splitlines():
        fields = line.split(":")
        if len(fields) == 7 and fields[2].isdigit() and fields[5].startswith("/") and _may_log_in(fields):
            result.append((fields[0], int(fields[2]), fields[5]))
    return result


def _may_log_in(fields: list[str]) -> bool:
    return fields[6].rsplit("/", 1)[-1] not in ("nologin", "false", "sync", "git-shell")
