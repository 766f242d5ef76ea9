# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The roles that a site chooses for itself: bans that spare the operator, a gate that calls nothing unread clean, and a
check that remembers every change of the system's files.

A lab of its own, on which only these roles are applied; their mutations are in `mutations/optional`. The check of files
has a host to itself, since what breaks other roles is a change to it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from . import kill_rate
from .agent import Agent, Measurer
from .conftest import running_lab
from .fleet import Fleet, said_of_failure
from .mutation import FOLDER, Bench, Mutation, disagreements, first_of_each_family, load

pytestmark = pytest.mark.choice

HOST, PEER, FILES = "gpu1", "gpu2", "store1"
ROLES = {HOST: ["intrusion_detection", "antivirus"], FILES: ["file_integrity"]}
EICAR = b"".join([rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$", b"EICAR-STANDARD-", b"ANTIVIRUS-TEST-FILE!", b"$H+H*"])
MUTATIONS = load(FOLDER / "optional")


def signatures(folder: Path) -> None:
    """Signatures that know the test string and nothing else: the maker's are 300 MB, and the lab has no network."""
    folder.mkdir()
    md5 = hashlib.md5(EICAR, usedforsecurity=False).hexdigest()
    (folder / "test.hdb").write_text(f"{md5}:{len(EICAR)}:Rampart.Test.EICAR\n")
    (folder / "test.ndb").write_text(f"Rampart.Test.EICAR.Body:0:*:{EICAR.hex()}\n")


@pytest.fixture(scope="module")
def detecting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The demo's hosts, of which two have the roles; a second run of theirs changed nothing."""
    base = tmp_path_factory.mktemp("detection")
    signatures(base / "signatures")
    settings = {
        "antivirus_signatures_folder": str(base / "signatures"),
        "antivirus_max_file_mb": 4,
        "antivirus_max_scan_mb": 8,
    }
    with running_lab("detection", "demo", base) as fleet:
        for host, roles in ROLES.items():
            for expected in ("", "changed=0"):
                given = json.dumps({**settings, "rampart_roles": roles})
                done = fleet.playbook("harden", "--limit", host, "-e", given)
                assert done.returncode == 0, said_of_failure(done)
                assert expected in done.stdout.replace(" ", ""), done.stdout[-4000:]
        yield fleet


def states(fleet: Fleet, host: str) -> dict[str, str]:
    return fleet.states(host, roles=",".join(ROLES[host]))


@pytest.mark.lab
@pytest.mark.parametrize("host", ROLES)
def test_every_control_passes(detecting: Fleet, host: str) -> None:
    assert not {name: state for name, state in states(detecting, host).items() if state != "pass"}


@pytest.mark.lab
def test_failed_logins_end_in_a_ban_that_spares_the_operator_and_ends(detecting: Fleet) -> None:
    address = detecting.shell(HOST, "hostname -I | cut -d' ' -f1").strip()
    stranger = address.rsplit(".", 1)[0] + ".250"
    device = detecting.shell(PEER, "ip -o -4 addr show scope global | head -1 | cut -d' ' -f2").strip().split("@")[0]
    detecting.shell(PEER, f"ip addr add {stranger}/24 dev {device}")
    try:
        attempt = "ssh -b {} -o BatchMode=yes -o ConnectTimeout=3 -o StrictHostKeyChecking=no intruder{}@{} true"
        tries = "; ".join(attempt.format(stranger, number, address) + " || true" for number in range(8))
        detecting.shell(PEER, tries, check=False)
        assert banned(detecting, stranger, wanted=True), detecting.shell(
            HOST, "cscli alerts list; cscli decisions list"
        )
        # The operator is still in, from an address that may do the same: the shell of the tests is that connection.
        again = detecting.shell(PEER, attempt.format(stranger, 9, address) + " 2>&1 || true", check=False)
        assert "timed out" in again.lower(), again
        peer = detecting.shell(PEER, attempt.format("0.0.0.0", 9, address) + " 2>&1 || true", check=False)
        assert "Permission denied" in peer, peer
        assert "drop" in detecting.shell(HOST, "nft list chain inet rampart_ids input")
        detecting.shell(HOST, f"cscli decisions delete --ip {stranger}")
        assert banned(detecting, stranger, wanted=False)
        # A decision with an end of its own, and nobody who takes it back.
        detecting.shell(HOST, f"cscli decisions add --ip {stranger} --duration 25s")
        assert banned(detecting, stranger, wanted=True)
        assert banned(detecting, stranger, wanted=False)
    finally:
        detecting.shell(PEER, f"ip addr del {stranger}/24 dev {device}")


def banned(fleet: Fleet, address: str, wanted: bool) -> bool:
    """Wait until the kernel's set has an address, or has it no longer."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if (address in fleet.shell(HOST, "nft list set inet rampart_ids banned4")) is wanted:
            return True
        time.sleep(1)
    return False


@pytest.mark.lab
def test_the_operator_and_the_fleet_cannot_be_banned(detecting: Fleet) -> None:
    operator = detecting.shell(HOST, "head -1 /etc/rampart/intrusion-detection/allowed").strip().removesuffix("/32")
    network = operator.rsplit(".", 1)[0] + ".0/24"
    detecting.shell(HOST, f"cscli decisions add --ip {operator} -d 1m; cscli decisions add --range {network} -d 1m")
    time.sleep(15)
    assert "elements" not in detecting.shell(HOST, "nft list set inet rampart_ids banned4")
    detecting.shell(HOST, "cscli decisions delete --all")


@pytest.mark.lab
def test_the_table_comes_back_after_a_flush_and_other_tables_stay(detecting: Fleet) -> None:
    detecting.shell(HOST, "nft add table inet site; nft add chain inet site keep; nft delete table inet rampart_ids")
    end = time.monotonic() + 40
    while "rampart_ids" not in detecting.shell(HOST, "nft list tables") and time.monotonic() < end:
        time.sleep(1)
    assert "@banned4" in detecting.shell(HOST, "nft list chain inet rampart_ids input")
    assert "keep" in detecting.shell(HOST, "nft list table inet site; nft delete table inet site")


UPLOAD = "/var/lib/rampart/upload"
PARTS = "python3 -c \"import sys; sys.stdout.buffer.write(bytes.fromhex('" + EICAR.hex() + "'))\""


def upload(fleet: Fleet, name: str, make: str) -> str:
    """Make something in `partial`, move it in when it is whole, and return the folder in which it ends."""
    fleet.shell(HOST, f"cd {UPLOAD}/partial; {make}; mv '{name}' ../incoming/")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = fleet.shell(HOST, f"ls -d {UPLOAD}/*/'{name}' 2>/dev/null || true").split("\n")[0]
        folder = found.removeprefix(UPLOAD + "/").partition("/")[0]
        if folder in ("clean", "quarantine", "held"):
            return folder
        time.sleep(0.5)
    return "nowhere"


@pytest.mark.lab
@pytest.mark.parametrize(
    ("name", "make", "folder"),
    [
        ("model.txt", "echo weights > model.txt", "clean"),
        ("eicar.com", f"{PARTS} > eicar.com", "quarantine"),
        ("eicar.zip", f"{PARTS} > e.com; python3 -m zipfile -c eicar.zip e.com; rm e.com", "quarantine"),
        ("tree", f"mkdir -p tree/deep; echo ok > tree/a; {PARTS} > tree/deep/b", "quarantine"),
        ("good", "mkdir -p good/deep; echo ok > good/a; echo ok > good/deep/b", "clean"),
        ("large.bin", "head -c 5000000 /dev/zero > large.bin", "held"),
        ("bomb.zip", "head -c 9000000 /dev/zero > z; python3 -m zipfile -c bomb.zip z; rm z", "held"),
        ("link", "ln -s /etc/shadow link", "held"),
        ("pipe", "mkfifo pipe", "held"),
        ("two", "echo ok > two; ln two other-name", "held"),
        ("empty", "mkdir empty", "held"),
        ("-rf name", "echo ok > './-rf name'; mv './-rf name' x; mv x './-rf name'; true", "clean"),
    ],
)
def test_an_upload_goes_where_it_belongs(detecting: Fleet, name: str, make: str, folder: str) -> None:
    if name == "-rf name":
        detecting.shell(HOST, f"echo ok > {UPLOAD}/incoming/'-rf name'")
        time.sleep(5)
        assert "-rf name" in detecting.shell(HOST, f"ls {UPLOAD}/clean")
        return
    assert upload(detecting, name, make) == folder
    record = json.loads(detecting.shell(HOST, f"cat {UPLOAD}/{folder}/.'{name}'.scan.json"))
    assert record["verdict"] == {"clean": "clean", "quarantine": "infected", "held": "held"}[folder]
    detecting.shell(HOST, f"rm -rf {UPLOAD}/{folder}/'{name}' {UPLOAD}/{folder}/.'{name}'.scan.json {UPLOAD}/partial/*")


@pytest.mark.lab
def test_nothing_is_clean_while_somebody_writes_to_it(detecting: Fleet) -> None:
    writer = f"cd {UPLOAD}/partial; exec 9> slow; echo a >&9; mv slow ../incoming/; sleep 12; echo b >&9"
    detecting.shell(HOST, writer)
    folder = detecting.shell(HOST, f"ls -d {UPLOAD}/*/slow").strip()
    assert folder == f"{UPLOAD}/held/slow"
    detecting.shell(HOST, f"rm {UPLOAD}/held/slow")


@pytest.mark.lab
def test_nothing_is_clean_while_the_engine_is_down(detecting: Fleet) -> None:
    detecting.shell(
        HOST, "systemctl mask --runtime clamav-daemon; systemctl stop clamav-daemon.service clamav-daemon.socket"
    )
    try:
        detecting.shell(HOST, f"echo ok > {UPLOAD}/incoming/waits; sleep 4")
        assert detecting.shell(HOST, f"ls {UPLOAD}/clean {UPLOAD}/held | grep waits || true") == ""
    finally:
        detecting.shell(HOST, "systemctl unmask --runtime clamav-daemon; systemctl start clamav-daemon; sleep 3")
    detecting.shell(HOST, "systemctl start rampart-upload-gate.service")
    assert "waits" in detecting.shell(HOST, f"ls {UPLOAD}/clean")
    detecting.shell(HOST, f"rm -f {UPLOAD}/clean/waits {UPLOAD}/clean/.waits*")


@pytest.fixture(scope="module")
def benches(detecting: Fleet) -> Iterator[dict[str, Bench]]:
    """The hosts to break, each seen healthy by both ways of measuring."""
    modes = detecting.modes()
    whole = first_of_each_family(MUTATIONS)
    with ExitStack() as stack:
        found = {}
        for host, roles in ROLES.items():
            measurer = Measurer(stack.enter_context(Agent(detecting.lab, host)), modes[host], roles=tuple(roles))
            healthy = measurer.states()
            assert not disagreements(healthy, states(detecting, host))
            found[host] = Bench(
                measurer, healthy, lambda host=host: states(detecting, host), lambda mutation: mutation.name in whole
            )
        yield found


@pytest.mark.lab
@pytest.mark.parametrize("mutation", MUTATIONS, ids=[f"{each.file}: {each.name}" for each in MUTATIONS])
def test_a_broken_host_is_seen(benches: dict[str, Bench], mutation: Mutation) -> None:
    host = next(name for name, roles in ROLES.items() if mutation.file in roles)
    outcome = benches[host].try_out(mutation)
    assert not outcome.problems, f"{mutation.file}: {mutation.name!r} on {host}:\n" + "\n".join(outcome.problems)


@pytest.mark.lab
def test_every_control_that_passes_is_broken_by_a_mutation(
    benches: dict[str, Bench], capsys: pytest.CaptureFixture[str]
) -> None:
    passing = {name for bench in benches.values() for name, state in bench.healthy.items() if state == "pass"}
    with capsys.disabled():
        print(f"\n{kill_rate.table(passing, MUTATIONS)}")
    lacking = kill_rate.unbroken(passing, MUTATIONS)
    assert not lacking, f"no mutation breaks {', '.join(sorted(lacking))}"
