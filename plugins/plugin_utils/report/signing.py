# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Signatures over run records by OpenSSH (SSHSIG): the key that a team has already, and a tool that is everywhere."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

NAMESPACE = "rampart-posture"
_LIMIT_S = 30


class SigningError(Exception):
    """A record cannot be signed, or a signature cannot be checked; says what to do."""


def sign(record: str, key: Path) -> str:
    """Return the armoured signature of a record by a private key, or by a public one whose private half an agent holds.

    Raises SigningError when ssh-keygen is missing, the key cannot be read, or it asks for a passphrase.
    """
    done = _keygen("sign", "-f", str(key.expanduser()), "-n", NAMESPACE, text=record)
    if done.returncode != 0 or "BEGIN SSH SIGNATURE" not in done.stdout:
        raise SigningError(
            f"signing with {key} failed: {' '.join(done.stderr.split()) or 'no signature came back'}; "
            "posture_signing_key names a private key without passphrase, or the public half of one in the ssh agent"
        )
    return done.stdout


def check(record: str, signature: str, allowed_signers: Path | None) -> str:
    """Return why a signature does not hold, or nothing.

    With a file of allowed signers (ssh-keygen(1)) it also has to be made by one of them; without, by any key at all.
    """
    with tempfile.TemporaryDirectory(prefix="rampart-signature-") as folder:
        path = Path(folder) / "record.sig"
        path.write_text(signature, encoding="utf-8")
        if allowed_signers is None:
            done = _keygen("check-novalidate", "-n", NAMESPACE, "-s", str(path), text=record)
        else:
            signers = str(allowed_signers)
            found = _keygen("find-principals", "-s", str(path), "-f", signers, text=record)
            if found.returncode != 0 or not found.stdout.strip():
                return f"it is not signed by a key in {allowed_signers}"
            name = found.stdout.splitlines()[0]
            done = _keygen("verify", "-n", NAMESPACE, "-s", str(path), "-f", signers, "-I", name, text=record)
    return "" if done.returncode == 0 else "its signature does not fit its text"


def _keygen(action: str, *arguments: str, text: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["ssh-keygen", "-Y", action, *arguments],
            input=text, capture_output=True, text=True, timeout=_LIMIT_S, check=False, start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise SigningError("ssh-keygen is not installed on the controller: apt-get install openssh-client") from error
    except subprocess.TimeoutExpired as error:
        raise SigningError(
            f"ssh-keygen did not answer within {_LIMIT_S} s: does the key ask for a passphrase?"
        ) from error
