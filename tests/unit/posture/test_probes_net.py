# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What sshd, its keys and the packet filter are, from recorded hosts."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import FileStat
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.authorized_keys import (
    authorized_keys,
    key_of,
    ssh_host_keys,
    strength,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.legacy_iptables import legacy_iptables
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.nftables import nftables, nftables_persistent
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.open_ports import open_ports
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.ssh_files import ssh_banner, ssh_moduli
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.sshd_at_boot import sshd_at_boot
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.sshd_effective import (
    sshd_contexts,
    sshd_daemon,
    sshd_effective,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.unit_at_boot import unit_at_boot

from .recorded_host import RecordedHost

MAIN = "/etc/ssh/sshd_config"
PASSWD = "root:x:0:0::/root:/bin/bash\nops:x:1000:1000::/home/ops:/bin/bash\nwww:x:33:33::/var/www:/usr/sbin/nologin\n"
ANYONE = "host=198.51.100.1,addr=198.51.100.1,laddr=198.51.100.2,lport=22"
BASE = "permitrootlogin no\nport 22\nauthorizedkeysfile .ssh/authorized_keys\nhostkey /etc/ssh/k\n"


def blob(*parts: bytes) -> str:
    return base64.b64encode(b"".join(struct.pack(">I", len(part)) + part for part in parts)).decode()


def rsa(bits: int) -> str:
    return "ssh-rsa " + blob(b"ssh-rsa", b"\1\0\1", b"\0" + ((1 << bits) - 1).to_bytes((bits + 7) // 8, "big"))


ED25519 = "ssh-ed25519 " + blob(b"ssh-ed25519", bytes(32))


def ssh_host(commands: dict[str | tuple[str, ...], Any], files: dict[str, Any], **more: Any) -> RecordedHost:
    base = {"/etc/passwd": PASSWD, "/etc/group": "admin:x:7:ops\nops:x:1000:\n", MAIN: "PermitRootLogin no\n"}
    return RecordedHost(commands={"sshd -T": BASE, **commands}, files={**base, **files}, **more)


def test_sshd_is_asked_with_the_options_of_the_running_daemon() -> None:
    running = "sshd: /usr/sbin/sshd -D -o PermitRootLogin=yes -p 2222 [listener] 0 of 10-100 startups"
    asked = f"sshd -T -o PermitRootLogin=yes -p 2222 -C user=root,{ANYONE}"
    host = ssh_host(
        {asked: "permitrootlogin yes\n"},
        {"/run/sshd.pid": "35\n", "/proc/35": "", "/proc/35/cmdline": running},
    )
    assert sshd_effective(host, {"ctx": {"user": "root"}}) == {"permitrootlogin": "yes"}
    assert sshd_daemon(host, {})["options"] == ["-o", "PermitRootLogin=yes", "-p", "2222"]


def test_a_file_that_changed_after_the_reload_is_not_in_force_yet() -> None:
    files = {"/run/sshd.pid": "35\n", "/proc/35": "", "/proc/35/cmdline": "sshd: /usr/sbin/sshd -D [listener] 0 of 1"}
    stats = {MAIN: FileStat(0o100600, 0, 0, mtime=200.0), "/run/sshd.pid": FileStat(0o100644, 0, 0, mtime=100.0)}
    found = sshd_daemon(ssh_host({}, files, stats=stats), {})
    assert (found["current"], found["newer"]) == (False, [MAIN])


def test_without_a_daemon_every_connection_reads_the_files() -> None:
    assert sshd_daemon(ssh_host({}, {}), {})["per_connection"] is True


def test_without_sshd_there_is_nothing_to_measure() -> None:
    with pytest.raises(Absent):
        sshd_effective(RecordedHost(), {})


def test_an_sshd_that_refuses_its_configuration_is_an_error() -> None:
    host = RecordedHost(commands={"sshd -T": (255, "", "Bad configuration option: Foo")})
    with pytest.raises(ProbeError, match="Bad configuration option"):
        sshd_effective(host, {})


def test_a_match_block_is_measured_by_a_connection_that_meets_it() -> None:
    commands = {f"sshd -T -C user={user},{ANYONE}": BASE for user in ("root", "ops")}
    inside = "host=10.1.0.1,addr=10.1.0.1,laddr=198.51.100.2,lport=22"
    commands[f"sshd -T -C user=nobody,{inside}"] = "permitrootlogin yes\n"
    files = {MAIN: "PermitRootLogin no\nMatch Address 10.1.0.0/16\n  PermitRootLogin yes\n"}
    found = sshd_contexts(ssh_host(dict(commands), files), {})
    assert [one["permitrootlogin"] for one in found] == ["no", "no", "yes"]


def test_keys_are_measured_by_their_own_numbers() -> None:
    assert key_of(rsa(2048))[:2] == ("ssh-rsa", 2048)
    assert key_of('command="echo ssh-rsa A" ' + ED25519 + " me at home") == ("ssh-ed25519", 256, "me at home")
    assert key_of("ssh-rsa AAAA")[0] == "unreadable"
    assert key_of("ssh-ed25519 " + rsa(2048).split()[1])[0] == "unreadable"


@pytest.mark.parametrize(
    ("kind", "bits", "level"),
    [
        ("ssh-rsa", 3072, 128),
        ("ssh-rsa", 3071, 112),
        ("ssh-rsa", 1023, 0),
        ("ssh-ed25519", 256, 128),
        ("unreadable", 0, 0),
    ],
)
def test_strength_is_comparable_between_kinds_of_keys(kind: str, bits: int, level: int) -> None:
    assert strength(kind, bits) == level


def test_authorized_keys_name_whose_file_and_folder_they_stand_in() -> None:
    path = "/home/ops/.ssh/authorized_keys"
    commands = {f"sshd -T -C user={user},{ANYONE}": BASE for user in ("root", "ops")}
    stats = {path: FileStat(0o100664, 1001, 1000), "/home/ops/.ssh": FileStat(0o040775, 1000, 1000)}
    host = ssh_host(dict(commands), {path: f"# old\n\n{rsa(1024)} weak\n"}, stats=stats, users={1001: "eve"})
    (key,) = authorized_keys(host, {})
    assert (key["user"], key["owner"], key["owner_ok"], key["mode"], key["folder_mode"]) == (
        "ops", "eve", False, "0664", "0775",
    )  # fmt: skip
    assert (key["type"], key["bits"], key["strength"], key["comment"]) == ("ssh-rsa", 1024, 80, "weak")


def test_host_keys_have_the_mode_of_the_private_half() -> None:
    files = {"/etc/ssh/k": "private", "/etc/ssh/k.pub": ED25519 + " root@host"}
    host = ssh_host({}, files, stats={"/etc/ssh/k": FileStat(0o100640, 0, 0)})
    (key,) = ssh_host_keys(host, {})
    assert (key["path"], key["mode"], key["owner"], key["strength"]) == ("/etc/ssh/k", "0640", "root", 128)


def chain(**more: Any) -> dict[str, Any]:
    base = {"family": "inet", "table": "rampart", "name": "input", "type": "filter", "hook": "input", "prio": 0}
    return {"chain": {**base, "policy": "drop", **more}}


def rule(*expressions: Any) -> dict[str, Any]:
    return {"rule": {"family": "inet", "table": "rampart", "chain": "input", "expr": list(expressions)}}


def port(number: int) -> dict[str, Any]:
    return {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": number}}


TABLE = {"table": {"family": "inet", "name": "rampart"}}
LISTED = [TABLE, chain(), rule(port(22), {"accept": None}), rule({"log": {"prefix": "x"}})]
BOOT = ("unshare", "--net", "--", "sh", "-c", "nft -f - && nft -j list ruleset")


def nft_host(members: list[Any], boot: list[Any] | None = None) -> RecordedHost:
    commands: dict[Any, Any] = {"nft -j list ruleset": json.dumps({"nftables": members})}
    if boot is not None:
        commands[BOOT] = json.dumps({"nftables": boot})
    return RecordedHost(commands=commands, files={"/etc/rampart/firewall.nft": "table inet rampart {}"})


def test_the_filter_is_what_the_kernel_lists() -> None:
    found = nftables(nft_host(LISTED), {"hook": "input"})
    assert found["texts"] == ["tcp dport 22 accept", 'log prefix "x"']
    assert found["unlimited_logs"] == ['log prefix "x"']
    assert (found["logs"], found["counts"]["rules"]) == (1, 2)
    assert nftables(nft_host(LISTED), {"hook": "output"})["rules"] == []


def test_a_port_that_somebody_opens_is_seen() -> None:
    opened = [*LISTED, rule(port(8080), {"accept": None})]
    found = open_ports(nft_host(opened), {"scope": "world"})
    assert [(one["service"], one["port"], one["scope"]) for one in found] == [
        ("tcp/22", 22, "world"), ("tcp/8080", 8080, "world"),
    ]  # fmt: skip


def test_a_host_without_any_table_is_open_and_one_without_nft_is_unmeasured() -> None:
    assert {one["service"] for one in open_ports(nft_host([]), {})} == {"*/*"}
    with pytest.raises(Absent):
        open_ports(RecordedHost(), {})


def test_a_listing_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ProbeError):
        open_ports(RecordedHost(commands={"nft -j list ruleset": "garbage"}), {})
    with pytest.raises(ProbeError, match="ended with status 1"):
        open_ports(RecordedHost(commands={"nft -j list ruleset": (1, "", "Operation not permitted")}), {})


def test_a_rule_that_the_next_boot_would_not_have_is_named() -> None:
    params = {"path": "/etc/rampart/firewall.nft", "table": "rampart"}
    assert nftables_persistent(nft_host(LISTED, LISTED), params) == {"differences": [], "hooks": ["input"]}
    opened = nft_host([*LISTED, rule(port(8080), {"accept": None})], LISTED)
    (difference,) = nftables_persistent(opened, params)["differences"]
    assert difference.startswith("in the kernel only: ")
    assert "8080" in difference
    swapped = nft_host([TABLE, chain(), LISTED[3], LISTED[2]], LISTED)
    assert nftables_persistent(swapped, params)["differences"] == ["the same rules stand in another order"]
    foreign = [{"table": {"family": "inet", "name": "other"}}, *LISTED]
    assert nftables_persistent(nft_host(LISTED, foreign), params)["differences"] == []
    (*_all_but_rules, missing) = nftables_persistent(nft_host(LISTED, foreign[:1]), params)["differences"]
    assert missing.startswith("in the kernel only: ")


def test_what_the_next_boot_lets_in_is_read_from_what_the_kernel_makes_of_the_file() -> None:
    opened = json.dumps({"nftables": [*LISTED, rule(port(8080), {"accept": None})]})
    host = nft_host(LISTED)
    host = RecordedHost(commands={**host.commands, BOOT: opened}, files=host.files)
    params = {"path": "/etc/rampart/firewall.nft", "scope": "world"}
    assert [one["service"] for one in open_ports(host, params)] == ["tcp/22", "tcp/8080"]
    with pytest.raises(Absent):
        open_ports(host, {**params, "path": "/etc/none"})
    broken = RecordedHost(commands={**host.commands, BOOT: (1, "", "syntax error")}, files=host.files)
    with pytest.raises(ProbeError, match="syntax error"):
        open_ports(broken, params)


def test_tables_of_the_old_iptables() -> None:
    files = {"/proc/net/ip_tables_names": "nat\nfilter\n", "/proc/net/ip6_tables_names": ""}
    assert legacy_iptables(RecordedHost(files=files), {}) == {"tables": ["ip filter", "ip nat"]}
    assert legacy_iptables(RecordedHost(), {}) == {"tables": []}
    with pytest.raises(ProbeError):
        legacy_iptables(RecordedHost(files={"/proc/net/ip_tables_names": ProbeError("not permitted")}), {})


SHOW = "systemctl show --property=ExecStart,EnvironmentFiles,LoadState -- ssh.service"
EXEC = (
    "ExecStart={ path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd -D $SSHD_OPTS ; ignore_errors=no }\n"
    "EnvironmentFiles=/etc/default/ssh (ignore_errors=yes)\nLoadState=loaded\n"
)


def boot_host(environment: str, state: str = "enabled", **more: Any) -> RecordedHost:
    commands = {"systemctl is-enabled ssh.service": state, SHOW: EXEC, "sshd -T": BASE, **more}
    wanted = {"/etc/systemd/system/multi-user.target.wants/ssh.service": ""}
    return ssh_host(commands, {"/etc/default/ssh": environment, **wanted})


def test_the_next_start_of_sshd_is_the_same() -> None:
    found = sshd_at_boot(boot_host("# nothing\nSSHD_OPTS=\n"), {})
    assert found == {"state": "enabled", "unit": "ssh.service", "options": [], "differences": []}


def test_an_option_of_the_next_start_is_named_with_what_it_changes() -> None:
    later = {"sshd -T -o PermitRootLogin=yes": BASE.replace("permitrootlogin no", "permitrootlogin yes")}
    found = sshd_at_boot(boot_host('SSHD_OPTS="-D -o PermitRootLogin=yes"\n', **later), {})
    assert found["options"] == ["-o", "PermitRootLogin=yes"]
    assert found["differences"] == ["permitrootlogin: no now, yes after a restart"]


def test_an_sshd_that_does_not_start_at_boot_or_cannot_be_told() -> None:
    others = {f"systemctl is-enabled {unit}": "" for unit in ("sshd.service", "ssh.socket", "sshd.socket")}
    assert sshd_at_boot(boot_host("", "disabled", **others), {})["state"] == "disabled"
    with pytest.raises(ProbeError, match="no ExecStart"):
        sshd_at_boot(boot_host("", **{SHOW: "LoadState=not-found\n"}), {})
    with pytest.raises(ProbeError, match="quotes do not match"):
        sshd_at_boot(boot_host('SSHD_OPTS="-o\n'), {})
    with pytest.raises(Absent):
        sshd_at_boot(RecordedHost(), {})


def test_the_notice_before_the_login_tells_the_system_or_not() -> None:
    shown = BASE + "banner /etc/issue.net\n"
    release = 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12"\n'
    files = {"/etc/os-release": release, "/proc/sys/kernel/osrelease": "6.1.0\n"}
    quiet = ssh_host({"sshd -T": shown}, {**files, "/etc/issue.net": "Authorised use only\n"})
    assert ssh_banner(quiet, {})["tells"] == []
    loud = ssh_host({"sshd -T": shown}, {**files, "/etc/issue.net": "Debian GNU/Linux 12 \\r\n"})
    assert ssh_banner(loud, {})["tells"] == ["\\r", "debian", "Debian GNU/Linux 12"]
    with pytest.raises(Absent):
        ssh_banner(ssh_host({"sshd -T": BASE + "banner none\n"}, files), {})


def test_the_primes_of_group_exchange() -> None:
    shown = BASE + "kexalgorithms curve25519-sha256,diffie-hellman-group-exchange-sha256\n"
    text = "# Time Type\n2023 2 6 100 2047 2 FFFF\n2023 2 6 100 4095 5 FFFF\n"
    found = ssh_moduli(ssh_host({"sshd -T": shown}, {"/etc/ssh/moduli": text}), {})
    assert (found["count"], found["smallest"], found["offered"]) == (2, 2048, True)
    with pytest.raises(ProbeError, match="none of moduli"):
        ssh_moduli(ssh_host({"sshd -T": shown}, {"/etc/ssh/moduli": "garbage\n"}), {})
    with pytest.raises(Absent):
        ssh_moduli(ssh_host({"sshd -T": shown}, {}), {})


def test_a_kernel_without_the_table_has_nothing_to_compare() -> None:
    with pytest.raises(Absent, match="no table inet rampart"):
        nftables_persistent(nft_host([], LISTED), {"path": "/etc/rampart/firewall.nft", "table": "rampart"})


@pytest.mark.parametrize("state", ["enabled", "disabled", "static"])
def test_a_unit_at_boot_is_what_the_disk_says(state: str) -> None:
    host = RecordedHost(commands={"systemctl is-enabled x.service": (0 if state == "enabled" else 1, f"{state}\n", "")})
    assert unit_at_boot(host, {"unit": "x.service"}) == {"state": state}


def units_host(answer: str) -> RecordedHost:
    """Two units with a file and one without."""
    ask = "systemctl is-enabled"
    return RecordedHost(
        commands={
            f"{ask} a.service b.service": (1, answer, ""),
            f"{ask} a.service": (0, "enabled\n", ""),
            f"{ask} b.service": (1, "masked\n", ""),
        },
        files={"/etc/systemd/system/a.service": "", "/usr/lib/systemd/system/b.service": ""},
    )


@pytest.mark.parametrize("answer", ["enabled\nmasked\n", "enabled\n", "", "what is this then\n"])
def test_units_with_a_file_are_asked_for_at_once_and_else_one_by_one(answer: str) -> None:
    host = units_host(answer)
    wanted = [{"unit": f"{name}.service"} for name in "abc"]
    assert unit_at_boot.prefetch is not None
    unit_at_boot.prefetch(host, wanted)
    assert [unit_at_boot(host, params) for params in wanted[:2]] == [{"state": "enabled"}, {"state": "masked"}]
    with pytest.raises(Absent, match=r"c\.service"):
        unit_at_boot(host, wanted[2])
    # The disk said it, so that nobody else was asked.
    assert not any("c.service" in line for line in host.asked)


@pytest.mark.parametrize("file", ["run/systemd/generator/x@1.service", "etc/systemd/system/x@.service"])
def test_a_unit_that_was_generated_and_an_instance_are_asked_for(file: str) -> None:
    host = RecordedHost(
        commands={"systemctl is-enabled x@1.service": (0, "generated\n", "")}, files={f"/{file}": "[Unit]\n"}
    )
    assert unit_at_boot.prefetch is not None
    unit_at_boot.prefetch(host, [{"unit": "x@1.service"}])
    assert unit_at_boot(host, {"unit": "x@1.service"}) == {"state": "generated"}


def test_an_answer_for_all_units_that_is_none_is_an_error() -> None:
    host = units_host("what ever\n")
    assert unit_at_boot.prefetch is not None
    unit_at_boot.prefetch(host, [{"unit": "a.service"}, {"unit": "b.service"}])
    with pytest.raises(ProbeError):
        unit_at_boot(host, {"unit": "a.service"})


@pytest.mark.parametrize("answer", [(1, "", "Failed: No such file or directory"), (4, "not-found\n", "")])
def test_a_unit_that_does_not_exist_is_absent(answer: tuple[int, str, str]) -> None:
    with pytest.raises(Absent):
        unit_at_boot(RecordedHost(commands={"systemctl is-enabled x.service": answer}), {"unit": "x.service"})
