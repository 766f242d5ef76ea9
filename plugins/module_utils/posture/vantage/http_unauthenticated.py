# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Whether an inference server or what stands around it answers a request that carries no credential."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import Host
from ansible_collections.rampart.fleet.plugins.module_utils.posture.registry import Params, probe
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.dial import OPEN, dial
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.target import target_of

PORTS = (80, 443, 5000, 7860, 8000, 8001, 8080, 8188, 8443, 8888, 11434, 30000)
# Read-only questions of the common interfaces: OpenAI's (vLLM, SGLang, TGI, llama.cpp), KServe's (Triton), Ollama's.
PATHS = ("/v1/models", "/v2/repository/index", "/api/tags")
_WAIT_S = 1.0
_BODY = 4096


@probe("http_unauthenticated", optional=("ports", "paths"), source="HTTP requests to {target} without a credential")
def http_unauthenticated(host: Host, params: Params) -> list[dict[str, Any]]:
    """Return `{port, scheme, path, status, granted}` for each port that speaks HTTP and each path.

    `granted` says that the question was answered: a status below 300 with JSON. Ports and paths are the usual ones
    of inference servers unless `ports` or `paths` names others. Absent when no port speaks HTTP.
    """
    target = target_of(params)
    ports = [int(port) for port in params.get("ports") or PORTS]
    paths = [str(path) for path in params.get("paths") or PATHS]
    states = dial(target.address, ports)
    found = [one for port in ports if states[port] == OPEN for one in _port(target.address, port, paths)]
    if not found:
        raise Absent(f"{target.address} speaks HTTP on none of the ports {', '.join(map(str, ports))}")
    return found


def _port(address: str, port: int, paths: list[str]) -> Iterator[dict[str, Any]]:
    scheme = next((one for one in ("http", "https") if ask(address, port, one, paths[0]) is not None), None)
    if scheme is None:
        return
    for path in paths:
        answer = ask(address, port, scheme, path)
        if answer is not None:
            status, granted = answer
            yield {"port": port, "scheme": scheme, "path": path, "status": status, "granted": granted}


def ask(address: str, port: int, scheme: str, path: str) -> tuple[int, bool] | None:
    """Return the status and whether the question was answered, or None when the port does not speak the scheme."""
    if scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        line: http.client.HTTPConnection = http.client.HTTPSConnection(address, port, timeout=_WAIT_S, context=context)
    else:
        line = http.client.HTTPConnection(address, port, timeout=_WAIT_S)
    try:
        line.request("GET", path, headers={"User-Agent": "rampart-posture", "Accept": "application/json"})
        answer = line.getresponse()
        body = answer.read(_BODY).lstrip()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        line.close()
    return answer.status, answer.status < 300 and body[:1] in (b"{", b"[")
