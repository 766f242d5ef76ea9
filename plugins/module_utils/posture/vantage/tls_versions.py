# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What versions of TLS a host's services accept, by handshakes, and how long their certificates hold."""

from __future__ import annotations

import socket
import ssl
from datetime import datetime, timezone
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.certificate import (
    CertificateError,
    certificate,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.dial import OPEN, dial
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.target import target_of

PORTS = (443, 2376, 5000, 6443, 8000, 8080, 8443, 9443, 11434)
# The usual ones first: a port that answers none of these speaks no TLS, and is not asked for older ones.
_USUAL = (("TLSv1.3", ssl.TLSVersion.TLSv1_3), ("TLSv1.2", ssl.TLSVersion.TLSv1_2))
_OLD = (("TLSv1.1", ssl.TLSVersion.TLSv1_1), ("TLSv1", ssl.TLSVersion.TLSv1))
_WAIT_S = 1.0


@probe("tls_versions", optional=("ports",), source="TLS handshakes with {target}")
def tls_versions(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return `{port, versions: [name], ciphers: [name], days_left, not_after, self_signed}` for each port that speaks
    TLS.

    The ports are `ports`, or the usual ones of gateways and inference servers. Absent when none of them speaks TLS.
    """
    target = target_of(params)
    ports = [int(port) for port in params.get("ports") or PORTS]
    states = dial(target.address, ports)
    found = [one for port in ports if states[port] == OPEN for one in _port(target.address, port)]
    if not found:
        raise Absent(f"{target.address} speaks TLS on none of the ports {', '.join(map(str, ports))}")
    return found


def _port(address: str, port: int) -> list[dict[str, Any]]:
    done = {}
    for name, version in (*_USUAL, *_OLD):
        try:
            done[name] = handshake(address, port, version)
        except TimeoutError:
            if (name, version) in _OLD and any(done.values()):
                raise ProbeError(f"port {port} of {address} leaves a handshake of {name} without an answer") from None
    accepted = {name: one for name, one in done.items() if one is not None}
    if not accepted:
        return []
    ciphers = sorted({cipher for cipher, _der in accepted.values()})
    der = next(der for _cipher, der in accepted.values())
    return [{"port": port, "versions": sorted(accepted), "ciphers": ciphers, **_dates(der)}]


def handshake(address: str, port: int, version: ssl.TLSVersion) -> tuple[str, bytes] | None:
    """Return the cipher and the certificate (DER) of a handshake with one version, or None when it is refused.

    Raises ProbeError when this host's own library cannot speak the version, TimeoutError when nobody answers.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Nothing is entrusted to this connection; what is asked is what the server would accept from anybody.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        context.minimum_version = context.maximum_version = version
        context.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection((address, port), _WAIT_S) as line, context.wrap_socket(line) as secure:
            return (secure.cipher() or ("unknown", "", 0))[0], secure.getpeercert(binary_form=True) or b""
    except ssl.SSLError as error:
        if error.reason in ("NO_PROTOCOLS_AVAILABLE", "NO_CIPHERS_AVAILABLE", "UNSUPPORTED_PROTOCOL_VERSION"):
            raise ProbeError(f"the host that looks cannot speak {version.name}: {error.reason}") from None
        return None
    except socket.timeout:
        raise TimeoutError from None
    except OSError:
        return None


def _dates(der: bytes, now: datetime | None = None) -> dict[str, Any]:
    try:
        found = certificate(der)
    except CertificateError as error:
        raise ProbeError(f"the server's certificate cannot be read: {error}") from None
    left = found.not_after - (now or datetime.now(timezone.utc))
    return {
        "days_left": left.days,
        "not_after": found.not_after.isoformat(),
        "self_signed": found.self_signed,
    }
