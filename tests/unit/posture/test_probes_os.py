# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""PAM, sudo, sessions, core dumps, apt: probes on what real hosts said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.apt_config import apt_config
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.coredump import coredump
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.login_defs import login_defs
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.pam_policy import (
    account_lockout,
    password_quality,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.pam_stack import pam_stack
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.sudoers import sudoers
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.sysctl_match import sysctl_match
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.umask import umask

from .recorded_host import RecordedHost

SESSION = ("su", "-s", "/bin/sh", "nobody", "-c", "umask; ulimit -Sc; ulimit -Hc")
COMMON_AUTH = """# as pam-auth-update of Debian 12 writes it
auth	requisite	pam_faillock.so preauth silent deny=5 unlock_time=900
auth	[success=2 default=ignore]	pam_unix.so nullok try_first_pass
auth	[default=die]	pam_faillock.so authfail deny=5 unlock_time=900
auth	requisite			pam_deny.so
"""
PAM = {
    "/etc/pam.d/login": "auth requisite pam_nologin.so\n@include common-auth\n@include common-account\n",
    "/etc/pam.d/common-auth": COMMON_AUTH,
    "/etc/pam.d/common-account": "account required pam_faillock.so\naccount required /lib/security/pam_unix.so # all\n",
}


def pam(**changed: str) -> RecordedHost:
    names = {name.replace("_", "-"): text for name, text in changed.items()}
    return RecordedHost(files={**PAM, **{f"/etc/pam.d/{name}": text for name, text in names.items()}})


def test_includes_are_resolved_in_their_place() -> None:
    stack = pam_stack(pam(), {"service": "login", "type": "auth"})
    assert [entry["module"] for entry in stack] == [
        "pam_nologin.so",
        "pam_faillock.so",
        "pam_unix.so",
        "pam_faillock.so",
        "pam_deny.so",
    ]
    assert stack[2] == {
        "control": "[success=2 default=ignore]",
        "module": "pam_unix.so",
        "args": ["nullok", "try_first_pass"],
    }


def test_a_module_is_known_by_its_name_whatever_its_folder() -> None:
    (entry,) = pam_stack(pam(), {"service": "login", "type": "account", "module": "pam_unix.so"})
    assert entry["args"] == []


@pytest.mark.parametrize(
    ("text", "modules"),
    [
        ("auth include common-auth\nauth required pam_env.so\n", 5),
        ("auth substack common-auth\n", 4),
        ("-auth optional pam_none.so a=b [c=d e]\n", 1),
        ("auth \\\n  required \\\n  pam_env.so\n", 1),
        ("session required pam_env.so\n", 0),
    ],
)
def test_every_way_to_write_a_line_is_read(text: str, modules: int) -> None:
    assert len(pam_stack(pam(own=text), {"service": "own", "type": "auth"})) == modules


def test_arguments_in_brackets_are_one() -> None:
    (entry,) = pam_stack(pam(own="-auth optional pam_x.so a=b [c=d e]\n"), {"service": "own", "type": "auth"})
    assert entry["args"] == ["a=b", "c=d e"]


def test_a_service_of_the_vendor_counts_where_etc_has_none() -> None:
    host = RecordedHost(files={"/usr/lib/pam.d/su": "auth required pam_unix.so\n"})
    assert pam_stack(host, {"service": "su", "type": "auth"})[0]["module"] == "pam_unix.so"


@pytest.mark.parametrize(
    ("host", "params", "error", "message"),
    [
        (RecordedHost(), {"service": "login", "type": "auth"}, Absent, "no PAM service login"),
        (pam(), {"service": "login", "type": "auth", "module": "pam_wheel.so"}, Absent, "does not run pam_wheel.so"),
        (pam(), {"service": "login", "type": "authentication"}, ProbeError, "no type of a PAM stack"),
        (pam(own="auth\n"), {"service": "own", "type": "auth"}, ProbeError, "a line that is none: 'auth'"),
        (pam(own="auth include own\n"), {"service": "own", "type": "auth"}, ProbeError, "include each other"),
    ],
)
def test_what_cannot_be_told_is_said(
    host: RecordedHost, params: dict[str, str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        pam_stack(host, params)


def test_a_lockout_is_the_stack_and_all_settings() -> None:
    host = pam()
    value = account_lockout(host, {})
    assert (value["deny"], value["unlock_time"], value["even_deny_root"]) == (5, 900, False)
    assert (value["counts"], value["refuses"], value["resets"]) == (True, True, True)


@pytest.mark.parametrize(
    ("removed", "field"), [("preauth silent", "refuses"), ("authfail", "counts"), ("account required pam_f", "resets")]
)
def test_half_a_lockout_is_seen(removed: str, field: str) -> None:
    files = {
        path: text.replace(removed, "account optional pam_x" if "account" in removed else "x")
        for path, text in PAM.items()
    }
    assert account_lockout(RecordedHost(files=files), {})[field] is False


def test_the_file_of_faillock_counts_and_the_stack_beats_it() -> None:
    host = RecordedHost(files={**PAM, "/etc/security/faillock.conf": "deny = 9\neven_deny_root\n# deny = 1\n"})
    value = account_lockout(host, {})
    assert value["deny"] == 5 and value["even_deny_root"] is True


def test_without_faillock_there_is_no_lockout() -> None:
    with pytest.raises(Absent, match="does not run pam_faillock"):
        account_lockout(pam(common_auth="auth required pam_unix.so\n"), {})


def test_the_quality_of_passwords_comes_from_all_places_in_order() -> None:
    host = RecordedHost(
        files={
            "/etc/pam.d/passwd": "password requisite pam_pwquality.so retry=3\n",
            "/etc/security/pwquality.conf.d/rampart.conf": "minlen = 14\nenforce_for_root\nminclass=3\n",
            "/etc/security/pwquality.conf": "# minlen = 8\nminlen = 10\n",
        }
    )
    value = password_quality(host, {})
    assert (value["minlen"], value["minclass"], value["enforce_for_root"], value["retry"]) == (10, 3, True, 3)
    assert value["dictcheck"] == 1, "what nobody sets has the module's default"


def test_what_sudo_says_becomes_defaults_rules_and_names() -> None:
    document = {
        "Defaults": [
            {"Options": [{"use_pty": True}, {"timestamp_timeout": "5"}]},
            {"Options": [{"use_pty": False}]},
            {"Binding": [{"username": "ops"}], "Options": [{"use_pty": True}]},
            {"Options": [{"operation": "list_add", "env_keep": ["LANG"]}]},
        ],
        "User_Specs": [
            {
                "User_List": [{"usergroup": "adm"}, {"username": "ops", "negated": True}],
                "Host_List": [{"hostname": "ALL"}],
                "Cmnd_Specs": [{"Options": [{"authenticate": False}], "Commands": [{"command": "ALL"}]}],
            },
            {
                "User_List": [{"userid": 7}],
                "Host_List": [{"hostname": "ALL"}],
                "Cmnd_Specs": [{"Commands": [{"command": "/bin/ls"}]}],
            },
        ],
    }
    value = sudoers(RecordedHost(commands={"cvtsudoers -f json /etc/sudoers": json.dumps(document)}), {})
    assert value["defaults"] == {"use_pty": False, "timestamp_timeout": "5", "env_keep": ["LANG"]}
    assert value["bound"] == {"ops": {"use_pty": True}}
    assert value["nopasswd"] == ["!ops", "%adm"]
    assert value["rules"][1]["users"] == ["#7"] and value["rules"][1]["authenticate"] is None


def test_no_sudo_is_absent_and_broken_sudo_is_an_error() -> None:
    with pytest.raises(Absent, match="sudo is not installed"):
        sudoers(RecordedHost(), {})
    broken = RecordedHost(commands={"cvtsudoers -f json /etc/sudoers": (1, "", "syntax error near line 3")})
    with pytest.raises(ProbeError, match="syntax error near line 3"):
        sudoers(broken, {})


def test_the_last_line_of_login_defs_counts() -> None:
    text = "# UMASK 000\nUMASK\t\t022\nUMASK 027\nPASS_MAX_DAYS\t99999\nENV_PATH\tPATH=/usr/bin # no\n"
    text += "HOME_MODE 0750\nEMPTY\n"
    assert login_defs(RecordedHost(files={"/etc/login.defs": text}), {}) == {
        "UMASK": "027",
        "PASS_MAX_DAYS": 99999,
        "ENV_PATH": "PATH=/usr/bin",
        "HOME_MODE": "0750",
        "EMPTY": "",
    }


@pytest.mark.parametrize(
    ("said", "value"), [("0027\n0\n0\n", "0027"), ("22\n0\nunlimited\n", "0022"), ("motd\n0077\n0\n0\n", "0077")]
)
def test_a_session_is_asked_for_its_mask(said: str, value: str) -> None:
    assert umask(RecordedHost(commands={SESSION: said}), {}) == value


@pytest.mark.parametrize("said", ["", "one\ntwo\nthree\n", (1, "", "su: permission denied")])
def test_a_session_that_does_not_answer_is_an_error(said: Any) -> None:
    with pytest.raises(ProbeError):
        umask(RecordedHost(commands={SESSION: said}), {})


CONFIG = """# /etc/systemd/coredump.conf
[Coredump]
#Storage=external
Storage=external
# /etc/systemd/coredump.conf.d/rampart.conf
[Coredump]
Storage=none
ProcessSizeMax=0
"""


@pytest.mark.parametrize(
    ("pattern", "handler"),
    [
        ("|/lib/systemd/systemd-coredump %P %u", "systemd-coredump"),
        ("|/usr/share/apport/apport -p%p", "pipe"),
        ("core", "file"),
    ],
)
def test_who_gets_a_core_dump_is_told(pattern: str, handler: str) -> None:
    host = RecordedHost(
        files={"/proc/sys/kernel/core_pattern": pattern + "\n", "/usr/lib/systemd/systemd-coredump": ""},
        commands={SESSION: "0027\n0\nunlimited\n", "systemd-analyze cat-config systemd/coredump.conf": CONFIG},
    )
    value = coredump(host, {})
    assert (value["handler"], value["session_soft"], value["session_hard"]) == (handler, "0", "unlimited")
    assert value["config"] == {"storage": "none", "processsizemax": "0"}


DUMP = """APT "";
APT::Install-Recommends "0";
APT::Get::AllowUnauthenticated "false";
APT::NeverAutoRemove "";
APT::NeverAutoRemove:: "^firmware-linux.*";
APT::NeverAutoRemove:: "^linux-image";
APT::Periodic::AutocleanInterval "7";
Unattended-Upgrade::Origins-Pattern:: "origin=Debian,label=\\"x\\"";
"""


def test_settings_of_apt_are_typed_and_listed() -> None:
    assert apt_config(RecordedHost(commands={"apt-config dump": DUMP}), {}) == {
        "apt::install-recommends": False,
        "apt::get::allowunauthenticated": False,
        "apt::neverautoremove": ["^firmware-linux.*", "^linux-image"],
        "apt::periodic::autocleaninterval": "7",
        "unattended-upgrade::origins-pattern": ['origin=Debian,label=\\"x\\"'],
    }


def test_no_apt_is_absent() -> None:
    with pytest.raises(Absent, match="apt is not installed"):
        apt_config(RecordedHost(), {})


def test_every_interface_is_measured() -> None:
    base = "/proc/sys/net/ipv4/conf"
    host = RecordedHost(
        files={f"{base}/{name}/rp_filter": f"{value}\n" for name, value in (("all", 1), ("eth0.100", 0))}
    )
    assert sysctl_match(host, {"pattern": "net/ipv4/conf/*/rp_filter"}) == [
        {"key": "net/ipv4/conf/all/rp_filter", "value": 1},
        {"key": "net/ipv4/conf/eth0.100/rp_filter", "value": 0},
    ]
    with pytest.raises(Absent):
        sysctl_match(host, {"pattern": "net/ipv6/conf/*/accept_ra"})
    with pytest.raises(ProbeError, match="no pattern of sysctls"):
        sysctl_match(host, {"pattern": "../etc/*"})
