# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What is seen of a host from another one: real sockets on the loopback, recorded tools, recorded packets."""

from __future__ import annotations

import contextlib
import http.server
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import LocalHost
from ansible_collections.rampart.fleet.plugins.module_utils.posture.measure import Request
from ansible_collections.rampart.fleet.plugins.module_utils.posture.model import Observation
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage import kinds
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.certificate import (
    CertificateError,
    certificate,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.dial import MAX_PORTS, dial
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.http_unauthenticated import (
    http_unauthenticated,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.icmp import icmp
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.ipv6 import link_local
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.look import look
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.rdma_reachable import rdma_reachable
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.ssh_methods import QUIET, ssh_methods
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.ssh_offer import lists_of, ssh_offer
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.tcp_ports import tcp_ports
from ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.tls_versions import tls_versions
from ansible_collections.rampart.fleet.plugins.plugin_utils.posture import vantage

from .recorded_host import RecordedHost

LOOPBACK = "127.0.0.1"
# Old versions of TLS are named to see that they are refused.
pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")


def target(port: int = 22, address: str = LOOPBACK) -> dict[str, Any]:
    return {"address": address, "ssh_port": port}


@contextlib.contextmanager
def listener(answer: bytes | None = None) -> Iterator[int]:
    """A port that sends `answer` to whoever connects, and then waits for the other end."""
    with socket.create_server((LOOPBACK, 0)) as server:
        end = threading.Event()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while not end.is_set():
                    line, _peer = server.accept()
                    with line, contextlib.suppress(OSError):
                        if answer is not None:
                            line.sendall(answer)
                            line.settimeout(1)
                            line.recv(64)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        end.set()
        server.shutdown(socket.SHUT_RDWR)


def free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as server:
        return int(server.getsockname()[1])


def kexinit(**lists: str) -> bytes:
    names = (
        "kex", "host_key_algorithms", "ciphers_in", "ciphers_out", "macs_in", "macs_out", "compression_in",
        "compression_out", "languages_in", "languages_out",
    )  # fmt: skip
    body = bytes([20]) + bytes(16)
    for name in names:
        text = lists.get(name, "none").encode()
        body += struct.pack(">I", len(text)) + text
    return body + bytes(5)


def packet(payload: bytes) -> bytes:
    padding = 8 - (len(payload) + 5) % 8 + 4
    return struct.pack(">IB", len(payload) + 1 + padding, padding) + payload + bytes(padding)


def test_a_dialled_port_is_open_or_closed() -> None:
    closed = free_port()
    with listener() as port:
        assert dial(LOOPBACK, [port, closed]) == {port: "open", closed: "closed"}


def test_a_port_that_stays_silent_is_filtered_and_takes_no_longer_than_two_tries() -> None:
    with socket.socket() as full:
        full.bind((LOOPBACK, 0))
        full.listen(0)
        port = full.getsockname()[1]
        held = [socket.socket() for _one in range(4)]
        for one in held:
            one.setblocking(False)
            one.connect_ex((LOOPBACK, port))
        try:
            assert dial(LOOPBACK, [port], 0.1) == {port: "filtered"}
        finally:
            for one in held:
                one.close()


def test_too_many_ports_and_names_that_do_not_resolve_are_errors() -> None:
    with pytest.raises(ProbeError, match=f"wanted {MAX_PORTS} at most"):
        dial(LOOPBACK, range(1, MAX_PORTS + 2))
    with pytest.raises(ProbeError, match="does not resolve here"):
        dial("no.such.host.invalid", [22])


def test_open_ports_are_named_by_their_service() -> None:
    with listener() as port:
        found = tcp_ports(LocalHost(), {"target": target(port), "ports": [port, f"{port}-{port}"]})
    assert found["open"] == [port]
    assert found["tried"] == 1
    assert found["services"] == [{"port": port, "service": "unknown"}]


def test_a_host_that_does_not_answer_at_all_is_no_host_with_closed_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = "ansible_collections.rampart.fleet.plugins.module_utils.posture.vantage.tcp_ports.dial"
    monkeypatch.setattr(silent, lambda _address, ports: dict.fromkeys(ports, "filtered"))
    ping = ("ping", "-n", "-q", "-c", "2", "-i", "0.2", "-W", "1", LOOPBACK)
    with pytest.raises(ProbeError, match="cannot be told from a host without a route"):
        tcp_ports(RecordedHost(commands={ping: (1, "", "")}), {"target": target(), "ports": [23]})
    there = tcp_ports(RecordedHost(commands={ping: (0, "", "")}), {"target": target(), "ports": [23]})
    assert there["open"] == []
    assert there["filtered"] == 2


@pytest.mark.parametrize("ports", [["x"], ["0"], ["70000"], ["9-1"], "none"])
def test_ports_that_are_none_are_refused(ports: Any) -> None:
    with pytest.raises(ProbeError, match="wanted 1 to 65535"):
        tcp_ports(LocalHost(), {"target": target(), "ports": ports})


def test_without_a_target_nobody_is_looked_at() -> None:
    with pytest.raises(ProbeError, match=r"wanted \{address, ssh_port\}"):
        tcp_ports(LocalHost(), {})


def test_the_greeting_of_an_ssh_server_is_read() -> None:
    payload = kexinit(
        kex="curve25519-sha256,ext-info-s,kex-strict-s-v00@openssh.com",
        ciphers_out="aes256-gcm@openssh.com", ciphers_in="aes256-gcm@openssh.com,aes128-cbc",
    )  # fmt: skip
    with listener(b"be warned\r\nSSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7\r\n" + packet(payload)) as port:
        found = ssh_offer(LocalHost(), {"target": target(port)})
    assert (found["software"], found["comment"]) == ("OpenSSH_9.2p1", "Debian-2+deb12u7")
    assert found["kex"] == ["curve25519-sha256"]
    assert found["strict_kex"] is True
    assert found["ciphers"] == ["aes256-gcm@openssh.com", "aes128-cbc"], "a cipher of one direction counts"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"", "closes the connection|says too little|gives no SSH greeting"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "gives no SSH greeting"),
        (b"SSH-2.0-x\r\n\xff\xff\xff\xff\x00", "first packet has 4294967295 bytes"),
        (b"SSH-2.0-x\r\n" + packet(b"\x01" + bytes(40)), "first message is 01"),
    ],
)
def test_what_is_no_ssh_server_is_an_error(said: bytes, told: str) -> None:
    with listener(said) as port, pytest.raises(ProbeError, match=told):
        ssh_offer(LocalHost(), {"target": target(port)})


def test_a_port_that_is_closed_is_absent_and_a_cut_list_is_an_error() -> None:
    with pytest.raises(Absent, match="nothing listens"):
        ssh_offer(LocalHost(), {"target": target(free_port())})
    with pytest.raises(ProbeError, match="ends inside host_key_algorithms"):
        lists_of(kexinit(host_key_algorithms="ssh-ed25519")[:32])


def client(user: str) -> tuple[str, ...]:
    tail = ("-p", "22", "-l", user, "--", LOOPBACK, "true")
    return ("ssh", *QUIET, "-o", "PreferredAuthentications=none", *tail)


def test_the_methods_are_those_of_the_refusal() -> None:
    refused = "Banner\nroot@127.0.0.1: Permission denied (publickey,password,keyboard-interactive).\n"
    host = RecordedHost(commands={client("root"): (255, "", refused)})
    found = ssh_methods(host, {"user": "root", "target": target()})
    assert found["methods"] == ["publickey", "password", "keyboard-interactive"]
    assert (found["none"], found["password"], found["keyboard_interactive"]) == ("no", "yes", "yes")


def test_who_is_let_in_without_any_proof_is_told() -> None:
    found = ssh_methods(RecordedHost(commands={client("root"): (0, "", "")}), {"user": "root", "target": target()})
    assert found["none"] == "yes"


def test_neither_let_in_nor_refused_is_an_error_and_never_a_refusal() -> None:
    host = RecordedHost(commands={client("root"): (255, "", "kex_exchange_identification: Connection reset by peer\n")})
    with pytest.raises(ProbeError, match=r"neither let in nor refused: .*reset by peer"):
        ssh_methods(host, {"user": "root", "target": target()})
    with pytest.raises(Absent, match="no ssh client"):
        ssh_methods(RecordedHost(), {"user": "root", "target": target()})


@pytest.fixture(scope="module")
def key_pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subject = ("-subj", "/CN=gateway.test", "-days", "30")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, *subject],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return key, cert


@contextlib.contextmanager
def web(status: int, body: bytes, tls: tuple[Path, Path] | None = None, oldest: Any = None) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_anything: object) -> None:
            """Say nothing."""

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, *_anything: object) -> None:
            """A handshake that is refused is what the test is about."""

    with Quiet((LOOPBACK, 0), Handler) as server:
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls[1], tls[0])
            context.minimum_version = oldest or ssl.TLSVersion.TLSv1_2
            context.set_ciphers("ALL:@SECLEVEL=0")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_the_versions_and_the_certificate_of_a_tls_server(key_pair: tuple[Path, Path]) -> None:
    with web(200, b"{}", key_pair) as port:
        (found,) = tls_versions(LocalHost(), {"target": target(), "ports": [port, free_port()]})
    assert found["versions"] == ["TLSv1.2", "TLSv1.3"]
    assert found["days_left"] in (29, 30)
    assert found["self_signed"] is True


def test_an_old_version_that_is_accepted_is_seen(key_pair: tuple[Path, Path]) -> None:
    with web(200, b"{}", key_pair, ssl.TLSVersion.TLSv1) as port:
        (found,) = tls_versions(LocalHost(), {"target": target(), "ports": [port]})
    assert "TLSv1.1" in found["versions"]


def test_a_server_without_tls_is_absent() -> None:
    with web(200, b"{}") as port, pytest.raises(Absent, match="speaks TLS on none"):
        tls_versions(LocalHost(), {"target": target(), "ports": [port]})


@pytest.mark.parametrize(
    ("status", "body", "granted"),
    [(200, b'{"data": []}', True), (401, b'{"error": "key"}', False), (200, b"<html>", False), (404, b"{}", False)],
)
def test_a_request_without_a_credential_is_granted_or_not(status: int, body: bytes, granted: bool) -> None:
    with web(status, body) as port:
        found = http_unauthenticated(LocalHost(), {"target": target(), "ports": [port], "paths": ["/v1/models"]})
    assert found == [{"port": port, "scheme": "http", "path": "/v1/models", "status": status, "granted": granted}]


def test_a_request_over_tls_is_made_as_well(key_pair: tuple[Path, Path]) -> None:
    with web(200, b"[]", key_pair) as port:
        (found,) = http_unauthenticated(LocalHost(), {"target": target(), "ports": [port], "paths": ["/api/tags"]})
    assert (found["scheme"], found["granted"]) == ("https", True)


def test_no_web_server_is_absent() -> None:
    with pytest.raises(Absent, match="speaks HTTP on none"):
        http_unauthenticated(LocalHost(), {"target": target(), "ports": [free_port()]})


def test_dates_of_a_certificate(key_pair: tuple[Path, Path]) -> None:
    der = ssl.PEM_cert_to_DER_cert(key_pair[1].read_text())
    found = certificate(der)
    assert found.not_before <= datetime.now(UTC) < found.not_after
    for cut in (0, 1, 20, len(der) // 2):
        with pytest.raises(CertificateError):
            certificate(der[:cut])


def test_echoes() -> None:
    argv = ("ping", "-n", "-q", "-c", "2", "-i", "0.2", "-W", "1", LOOPBACK)
    assert icmp(RecordedHost(commands={argv: (0, "", "")}), {"target": target()}) == {"echo": True}
    assert icmp(RecordedHost(commands={argv: (1, "", "")}), {"target": target()}) == {"echo": False}
    with pytest.raises(ProbeError, match="status 2: not permitted"):
        icmp(RecordedHost(commands={argv: (2, "", "not permitted")}), {"target": target()})
    with pytest.raises(Absent):
        icmp(RecordedHost(), {"target": target()})


def test_the_link_local_address_of_an_ethernet_address() -> None:
    # RFC 4291, appendix A: the universal bit is turned over and fffe stands in the middle.
    assert link_local("34:56:78:9a:bc:de") == "fe80::3656:78ff:fe9a:bcde"
    with pytest.raises(ProbeError):
        link_local("00:11")


RPING = ("rping", "-c", "-a", LOOPBACK, "-C", "1", "-v", "-d")


@pytest.mark.parametrize(
    ("outcome", "reachable"),
    [
        ((255, "", "cma event RDMA_CM_EVENT_REJECTED, error 8\nwait for CONNECTED state 4"), True),
        ((255, "", "cma event RDMA_CM_EVENT_UNREACHABLE, error -110"), False),
        ((255, "", "cma event RDMA_CM_EVENT_ADDR_ERROR, error -19"), False),
        ((0, "ping data: rdma-ping-0", ""), True),
    ],
)
def test_rdma_answers_or_not(outcome: tuple[int, str, str], reachable: bool) -> None:
    host = RecordedHost(commands={RPING: outcome}, files={"/sys/class/infiniband/mlx5_0": ""})
    assert rdma_reachable(host, {"target": target()})["reachable"] is reachable


def test_rdma_that_cannot_be_tried_is_absent_or_an_error() -> None:
    with pytest.raises(Absent, match="no RDMA device"):
        rdma_reachable(RecordedHost(), {"target": target()})
    broken = RecordedHost(commands={RPING: (1, "", "segfault")}, files={"/sys/class/infiniband/mlx5_0": ""})
    with pytest.raises(ProbeError, match="segfault"):
        rdma_reachable(broken, {"target": target()})


def test_requests_are_looked_at_side_by_side_and_none_stops_the_others() -> None:
    asked = [
        Request("vantage:tcp_ports", "tcp_ports", {"ports": [9]}),
        Request("vantage:ssh_offer", "ssh_offer"),
        Request("vantage:nonsense", "nonsense"),
    ]
    seen = look(LocalHost(), asked, target(free_port()), 5.0)
    assert seen["vantage:tcp_ports"].status == "ok"
    assert seen["vantage:ssh_offer"].status == "absent"
    assert seen["vantage:nonsense"].status == "error"
    assert "127.0.0.1" in seen["vantage:ssh_offer"].source, "the evidence says who was looked at"


def test_every_kind_of_vantage_is_known_and_takes_its_target_from_elsewhere() -> None:
    assert set(kinds()) == {
        "tcp_ports", "ssh_offer", "ssh_methods", "ssh_attempt", "tls_versions", "http_unauthenticated", "icmp", "ipv6",
        "rdma_reachable",
    }  # fmt: skip
    assert all(kind.problems({"target": {}}) for kind in kinds().values())


FLEET = ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("name", "play", "modes", "wanted"),
    [
        ("a", FLEET, {}, ["b", "c"]),
        ("d", FLEET, {}, ["a", "b"]),
        ("a", ["a"], {}, ["b", "c"]),
        ("c", ["a", "c"], {}, ["a", "d"]),
        ("a", FLEET, {"b": "quarantine"}, ["c", "d"]),
        ("a", ["a"], dict.fromkeys(FLEET, "quarantine"), []),
    ],
)
def test_the_hosts_that_follow_look(name: str, play: list[str], modes: dict[str, str], wanted: list[str]) -> None:
    assert vantage.points(name, play, FLEET, modes) == wanted
    assert vantage.points(name, [name], [name], {}) == []


def test_the_target_is_what_others_know_the_host_by() -> None:
    assert vantage.target_of_host({}, "gpu1") == {"address": "gpu1", "ssh_port": 22}
    known = {"ansible_host": "192.0.2.1", "ansible_port": "2222"}
    assert vantage.target_of_host(known, "gpu1") == {"address": "192.0.2.1", "ssh_port": 2222}
    inner = {**known, "posture_vantage_address": "198.51.100.1"}
    assert vantage.target_of_host(inner, "gpu1")["address"] == "198.51.100.1"


def test_an_attempt_takes_ansibles_way_and_shares_no_connection() -> None:
    arguments = vantage.arguments_of("-C -o ControlMaster=auto -o ControlPersist=60s", "-F '/a b/config'", None)
    assert arguments == ("-C", "-F", "/a b/config")
    argv = vantage.attempt_argv(vantage.SshWay("ssh", "gpu1", 2222, "/key", arguments), "root")
    assert argv[-5:] == ["-l", "root", "--", "gpu1", "true"]
    assert "ControlPath=none" in argv
    assert argv[argv.index("-i") + 1] == "/key"


@pytest.mark.parametrize(
    ("script", "status", "value"),
    [
        ("exit 0", "ok", {"accepted": "yes", "methods": []}),
        ("echo 'Permission denied (publickey).' >&2; exit 255", "ok", {"accepted": "no", "methods": ["publickey"]}),
        ("echo 'Connection timed out' >&2; exit 255", "error", None),
    ],
)
def test_what_an_attempt_came_to(tmp_path: Path, script: str, status: str, value: Any) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\n{script}\n")
    ssh.chmod(0o755)
    attempts = vantage.Attempts(
        vantage.SshWay(str(ssh), "gpu1", None, None, ()), [Request("k", "ssh_attempt", {"user": "root"})]
    )
    found = attempts.results()["k"]
    assert (found.status, found.value) == (status, value)


def test_a_controller_without_ssh_is_an_error(tmp_path: Path) -> None:
    way = vantage.SshWay(str(tmp_path / "none"), "gpu1", None, None, ())
    assert vantage.Attempts(way, [Request("k", "ssh_attempt", {"user": "root"})]).results()["k"].status == "error"
    assert vantage.direct(way) is False


@pytest.mark.parametrize(
    ("printed", "direct"),
    [
        ("hostname gpu1\\nport 22", True),
        ("proxycommand ssh jump", False),
        ("proxyjump jump", False),
        ("proxyjump none", True),
    ],
)
def test_the_controller_looks_only_where_ssh_goes_without_a_proxy(tmp_path: Path, printed: str, direct: bool) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\nprintf '{printed}\\n'\n")
    ssh.chmod(0o755)
    assert vantage.direct(vantage.SshWay(str(ssh), "gpu1", None, None, ())) is direct


def test_without_a_vantage_point_everything_is_absent_and_says_why() -> None:
    found = vantage.unseen([Request("k", "icmp")], "the fleet has one host")
    assert found == {"k": Observation("absent", reason="no vantage point: the fleet has one host")}
