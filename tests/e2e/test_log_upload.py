# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The journal of one host reaches a real receiver on another: over TLS, with a certificate, and after an outage."""

from __future__ import annotations

import base64
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import running_lab
from .fleet import Fleet, ansible, said_of_failure

pytestmark = pytest.mark.lab

SENDER, RECEIVER = "gpu1", "gateway1"
URL = f"https://{RECEIVER}:19532"
PKI = "/etc/rampart-pki"
CONTROLS = [f"RMP-LOG-{number:03d}" for number in range(27, 33)]
# The sender starts again 30 s after it lost its receiver.
_ARRIVES_S = 90.0
SITE = "/etc/systemd/journal-upload.conf.d/99-site.conf"


def openssl(*arguments: str, folder: Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and a certificate of each side."""
    folder = tmp_path_factory.mktemp("pki")
    made = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl(*made, "-subj", "/CN=lab", "-keyout", "ca.key", "-out", "ca.pem", folder=folder)
    for host in (SENDER, RECEIVER):
        issued = ("-CA", "ca.pem", "-CAkey", "ca.key", "-addext", f"subjectAltName=DNS:{host}")
        openssl(
            *made, "-subj", f"/CN={host}", *issued, "-addext", "basicConstraints=CA:FALSE",
            "-keyout", f"{host}.key", "-out", f"{host}.pem", folder=folder,
        )  # fmt: skip
    return folder


def install(fleet: Fleet, host: str, certificates: Path, group: str) -> None:
    """Put the authority and the host's own pair on the host; the key for root and a group."""
    lines = [f"install -d {PKI}"]
    for name, target in (("ca.pem", "ca.pem"), (f"{host}.pem", "host.pem"), (f"{host}.key", "host.key")):
        content = base64.b64encode((certificates / name).read_bytes()).decode()
        lines.append(f"echo {content} | base64 -d > {PKI}/{target}")
    lines.append(f"chgrp {group} {PKI}/host.key; chmod 0640 {PKI}/host.key")
    fleet.shell(host, "\n".join(lines))


RECEIVE = f"""
mkdir -p /etc/systemd/journal-remote.conf.d
printf '%s\\n' '[Remote]' 'ServerKeyFile={PKI}/host.key' 'ServerCertificateFile={PKI}/host.pem' \
  'TrustedCertificateFile={PKI}/ca.pem' > /etc/systemd/journal-remote.conf.d/lab.conf
install -d -o systemd-journal-remote -g systemd-journal-remote /var/log/journal/remote
systemctl start systemd-journal-remote.socket
"""


def upload(url: str) -> list[str]:
    """What a site writes to have its logs sent."""
    files = {"ca": "ca.pem", "cert": "host.pem", "key": "host.key"}
    given = {f"audit_logging_upload_{kind}_file": f"{PKI}/{name}" for kind, name in files.items()}
    variables = {"audit_logging_upload": "true", "audit_logging_upload_url": url, **given}
    pairs = ", ".join(
        f'"{key}": {value if value == "true" else chr(34) + value + chr(34)}' for key, value in variables.items()
    )
    return ["-e", f'{{"rampart_roles": ["audit_logging"], {pairs}}}', "--limit", SENDER]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Fleet]:
    """A receiver, and a host that the role told to send there."""
    with running_lab("logs", "demo", tmp_path_factory.mktemp("logs")) as fleet:
        fleet.shell(RECEIVER, "apt-get install --yes --no-install-recommends systemd-journal-remote > /dev/null")
        install(fleet, RECEIVER, certificates, "systemd-journal-remote")
        fleet.shell(RECEIVER, RECEIVE)
        install(fleet, SENDER, certificates, "systemd-journal")
        done = fleet.playbook("harden", *upload(URL))
        assert done.returncode == 0, said_of_failure(done)
        yield fleet


def arrived(fleet: Fleet, mark: str, within_s: float) -> bool:
    """Whether an entry is in what the receiver keeps."""
    look = f"journalctl --quiet --directory=/var/log/journal/remote --grep={mark} --output=cat"
    end = time.monotonic() + within_s
    while mark not in fleet.shell(RECEIVER, look, check=False):
        if time.monotonic() > end:
            return False
        time.sleep(1)
    return True


def states(fleet: Fleet) -> dict[str, str]:
    found = fleet.states(SENDER, roles="audit_logging")
    return {name: found[name] for name in CONTROLS}


def test_entries_arrive_and_the_controls_see_it(logs: Fleet) -> None:
    logs.shell(SENDER, "logger upload-first")
    assert arrived(logs, "upload-first", _ARRIVES_S)
    assert set(states(logs).values()) == {"pass"}


def test_nothing_goes_in_the_clear(logs: Fleet) -> None:
    assert ":19532" in logs.shell(SENDER, "ss -Htn state established dport = :19532")
    clear = (
        "import http.client as h; c = h.HTTPConnection('gateway1', 19532, timeout=5); c.request('POST', '/upload'); "
    )
    answer = logs.shell(SENDER, f'python3 -c "{clear}print(c.getresponse().status)" 2>&1', check=False)
    assert not answer.strip().isdigit(), f"the receiver answered without TLS: {answer}"


STRANGER = f"""
import http.client as h, ssl, subprocess, sys
trusted = ssl.create_default_context(cafile="{PKI}/ca.pem")
entry = subprocess.check_output(["journalctl", "--output=export", "--lines=1", "--grep=" + sys.argv[2]])
client = h.HTTPSConnection("{RECEIVER}", int(sys.argv[1]), context=trusted, timeout=5)
forged = entry.replace(sys.argv[2].encode(), b"upload-forged")
client.request("POST", "/upload", body=forged, headers={{"Content-Type": "application/vnd.fdo.journal"}})
print(client.getresponse().status)
"""
# What a site puts before its receiver: nobody gets in without a certificate of the authority.
STRICT = f"""
import socket, ssl
known = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile="{PKI}/ca.pem")
known.verify_mode = ssl.CERT_REQUIRED
known.load_cert_chain("{PKI}/host.pem", "{PKI}/host.key")
listener = socket.create_server(("", 19533))
while True:
    try:
        with known.wrap_socket(listener.accept()[0], server_side=True) as peer:
            print(peer.getpeercert()["subject"], peer.recv(13), flush=True)
    except OSError as refused:
        print("refused:", refused, flush=True)
"""


def stranger(fleet: Fleet, port: int, mark: str) -> str:
    """What somebody without a certificate is told who sends a forged entry, made of one with this mark."""
    return fleet.shell(
        SENDER, f"logger {mark}; journalctl --sync; python3 -c '{STRANGER}' {port} {mark} 2>&1 || true"
    ).strip()


def test_the_receiver_of_debian_knows_no_strangers(logs: Fleet) -> None:
    # The role's documents say so; when this fails, they may promise more.
    assert stranger(logs, 19532, "upload-by-a-stranger") == "202"
    assert arrived(logs, "upload-forged", 10)


def test_who_asks_for_a_certificate_gets_it_from_the_host_and_turns_strangers_away(logs: Fleet) -> None:
    logs.shell(RECEIVER, f"systemd-run --quiet --unit=strict --collect python3 -c '{STRICT}'; sleep 2")
    told = "journalctl --sync; journalctl --quiet --unit=strict --output=cat"
    try:
        # The handshake of TLS 1.3 is over for a client before the server refuses it: it meets an alert, or an end.
        assert "Error" in stranger(logs, 19533, "upload-refused")
        assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in logs.shell(RECEIVER, told)
        assert f"'{SENDER}'" not in logs.shell(RECEIVER, told)
        logs.shell(SENDER, f"printf '[Upload]\nURL=https://{RECEIVER}:19533\n' > {SITE}")
        logs.shell(SENDER, "systemctl restart systemd-journal-upload; logger upload-strict; sleep 5")
        answer = logs.shell(RECEIVER, told)
        assert f"'{SENDER}'" in answer and "b'POST /upload" in answer, answer
    finally:
        logs.shell(SENDER, f"rm -f {SITE}; systemctl restart systemd-journal-upload")
        logs.shell(RECEIVER, "systemctl stop strict")


def test_the_role_refuses_a_receiver_in_the_clear(logs: Fleet) -> None:
    done = logs.playbook("harden", *upload(URL.replace("https", "http")))
    assert done.returncode != 0
    assert "https URL" in done.stdout


def test_what_was_logged_during_an_outage_arrives_afterwards(logs: Fleet) -> None:
    logs.shell(RECEIVER, "systemctl stop systemd-journal-remote.socket systemd-journal-remote.service")
    try:
        logs.shell(
            SENDER, "logger upload-during-outage; journalctl --sync; sleep 12; logger upload-later; journalctl --sync"
        )
        assert not arrived(logs, "upload-during-outage", 1)
        strict = '{"RMP-LOG-032": {"seconds": 10}}'
        found = ansible(
            "ansible", SENDER, "-i", str(logs.inventory), "-m", "rampart.fleet.posture",
            "-a", f"roles=audit_logging ids=RMP-LOG-032 report_dir={logs.reports}/late parameters='{strict}'",
        )  # fmt: skip
        assert found.returncode == 0, found.stdout
        assert "RMP-LOG-032 medium fail" in found.stdout, found.stdout
    finally:
        logs.shell(RECEIVER, "systemctl start systemd-journal-remote.socket")
    assert arrived(logs, "upload-during-outage", _ARRIVES_S)


@pytest.mark.parametrize(
    ("broken", "healed", "controls"),
    [
        ("systemctl stop systemd-journal-upload", "systemctl start systemd-journal-upload", {28}),
        (
            "mv /etc/systemd/system/multi-user.target.wants/systemd-journal-upload.service /root/",
            "mv /root/systemd-journal-upload.service /etc/systemd/system/multi-user.target.wants/",
            {28},
        ),
        (f"printf '[Upload]\\nURL=http://{RECEIVER}:19532\\n' > {SITE}", f"rm {SITE}", {29}),
        (f"printf '[Upload]\\nTrustedCertificateFile=-\\n' > {SITE}", f"rm {SITE}", {29}),
        (f"printf '[Upload]\\nServerCertificateFile=\\n' > {SITE}", f"rm {SITE}", {30}),
        (f"chmod o+r {PKI}/host.key", f"chmod o-r {PKI}/host.key", {31}),
        # Last: it takes the service with it.
        ("dpkg --purge --force-depends systemd-journal-remote", "true", {27, 28}),
    ],
)
def test_what_is_broken_by_hand_is_seen(logs: Fleet, broken: str, healed: str, controls: set[int]) -> None:
    logs.shell(SENDER, broken)
    try:
        found = states(logs)
    finally:
        logs.shell(SENDER, healed)
    assert {name for name, state in found.items() if state != "pass"} == {
        f"RMP-LOG-{number:03d}" for number in controls
    }
