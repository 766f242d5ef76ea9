# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Login shells, PAM as a whole, rules of sudo and ranges of numbers, from recorded hosts; failures are never a pass."""

from __future__ import annotations

import json
import stat
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import FileStat
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.accounts import (
    account_files,
    groups,
    name_services,
    password_changes,
    subordinate_ids,
    useradd_defaults,
    users,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.pam_policy import (
    account_lockout,
    pam_gate,
    password_hashing,
    password_history,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.pam_stack import (
    pam_decisions,
    pam_lines,
    pam_modules,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.sessions import (
    login_session,
    search_path,
    shells,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.sudoers import (
    sudo_commands,
    sudoers,
    sudoers_files,
)

from .recorded_host import RecordedHost

HASH = "$y$j9T$abcdefghijk$0123456789abcdefghijk"
ACCOUNTS = {
    "/etc/passwd": "root:x:0:0::/root:/bin/bash\nann:x:1000:1000::/home/ann:/bin/bash\nirc:x:39:0::/run:/bin/sh\n",
    "/etc/shadow": f"root:*:1::::::\nann:{HASH}:19500:1:365:7:30::\nirc:!:1::::::\n",
    "/etc/group": "root:x:0:\nann:x:1000:\nshadow:x:42:\nsugroup:x:999:ann\n",
    "/etc/gshadow": "root:*::\nann:!::\nshadow:*::\nsugroup:!::ann\n",
}
AUTH = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n"


def session(answer: Any) -> RecordedHost:
    class Host(RecordedHost):
        def run(self, argv: Any, timeout: float = 5.0, stdin: str = "") -> Any:
            return super().run(argv[:5], timeout, stdin)

    return Host(
        commands={"su --login --shell /bin/bash root": answer, "su --login --shell /bin/bash nobody": answer},
        stats={
            "/usr/bin": FileStat(mode=stat.S_IFDIR | 0o755, uid=0, gid=0),
            "/tmp": FileStat(mode=stat.S_IFDIR | 0o1777, uid=0, gid=0),
        },
    )


SAID = (
    "Welcome\nrampart:umask:0027\nrampart:timeout:900\nrampart:fixed:yes\nrampart:path:/usr/bin:/tmp:.::/usr/bin\n"
    "rampart:preload:\nrampart:library_path:/opt/cuda/lib64\n"
)


def test_a_login_shell_tells_what_it_has() -> None:
    assert login_session(session(SAID), {}) == {
        "umask": "0027",
        "timeout": 900,
        "timeout_fixed": True,
        "path": "/usr/bin:/tmp:.::/usr/bin",
        "preload": "",
        "library_path": "/opt/cuda/lib64",
    }


def test_a_shell_that_never_ends_has_no_time() -> None:
    found = login_session(session(SAID.replace(":900", ":").replace("fixed:yes", "fixed:no")), {"user": "nobody"})
    assert (found["timeout"], found["timeout_fixed"]) == (None, False)


@pytest.mark.parametrize("answer", [(1, "", "su: Permission denied"), "Welcome\n", SAID.replace("0027", "u=rwx")])
def test_a_shell_that_does_not_answer_is_an_error(answer: Any) -> None:
    with pytest.raises(ProbeError):
        login_session(session(answer), {})


def test_files_of_others_are_not_run() -> None:
    with pytest.raises(ProbeError, match="wanted one of root, nobody"):
        login_session(session(SAID), {"user": "ann"})


def test_each_folder_of_the_path_is_looked_at_once() -> None:
    found = {one["path"]: (one["absolute"], one["exists"], one["mode"]) for one in search_path(session(SAID), {})}
    assert found == {
        "/usr/bin": (True, True, "0755"),
        "/tmp": (True, True, "1777"),
        ".": (False, False, "0000"),
        "": (False, False, "0000"),
    }


def test_shells_are_listed_with_their_owners() -> None:
    host = RecordedHost(files={"/etc/shells": "# shells\n/bin/sh\n/bin/gone\n", "/bin/sh": ""})
    assert [(one["path"], one["exists"], one["owner"]) for one in shells(host, {})] == [
        ("/bin/sh", True, "root"),
        ("/bin/gone", False, "root"),
    ]


def test_accounts_are_narrowed_to_what_a_control_asks_for() -> None:
    host = RecordedHost(files=ACCOUNTS)
    names = {
        only: [one["name"] for one in users(host, {"only": only})]
        for only in ("password", "key_only", "gid0", "system_login")
    }
    assert names == {
        "password": ["ann"],
        "key_only": ["root", "irc"],
        "gid0": ["root", "irc"],
        "system_login": ["irc"],
    }
    assert users(host, {"only": "password"})[0]["hash_cost"] == 5


def test_a_hash_in_passwd_is_not_shadowed() -> None:
    host = RecordedHost(
        files={**ACCOUNTS, "/etc/passwd": f"ann:{HASH}:1000:1000::/home/ann:/bin/sh\nbob:x:5:5::/:/bin/sh\n"}
    )
    assert [one["shadowed"] for one in users(host, {})] == [False, False]


@pytest.mark.parametrize(("seconds", "future"), [("1684900000", False), ("1684000000", True)])
def test_a_password_of_tomorrow_is_seen(seconds: str, future: bool) -> None:
    host = RecordedHost(
        files={**ACCOUNTS, "/etc/shadow": f"ann:{HASH}:19500::::::\n"}, commands={"date +%s": seconds + "\n"}
    )
    assert password_changes(host, {}) == [{"name": "ann", "days": 19500, "in_future": future}]


def test_without_a_clock_no_password_is_of_today() -> None:
    with pytest.raises(ProbeError, match="wanted seconds"):
        password_changes(RecordedHost(files=ACCOUNTS, commands={"date +%s": "soon"}), {})


def test_a_group_holds_members_and_those_whose_own_it_is() -> None:
    found = groups(RecordedHost(files=ACCOUNTS), {"gid": 0})
    assert [(one["name"], one["everybody"]) for one in found] == [("root", ["irc", "root"])]
    assert [one["name"] for one in groups(RecordedHost(files=ACCOUNTS), {"names": ["shadow", "docker"]})] == ["shadow"]


def test_files_of_accounts_that_disagree_are_named() -> None:
    changed = {
        **ACCOUNTS,
        "/etc/passwd": ACCOUNTS["/etc/passwd"] + "+@ops::::::\nbob:x:7:7::/:/bin/sh\n",
        "/etc/shadow": ACCOUNTS["/etc/shadow"] + "gone:*:1::::::\n",
        "/etc/gshadow": ACCOUNTS["/etc/gshadow"] + "left:*::\n",
    }
    assert account_files(RecordedHost(files=changed), {}) == {
        "imported": ["passwd: +@ops"],
        "without_shadow": ["+@ops", "bob"],
        "without_account": ["gone"],
        "without_group": ["left"],
    }


def test_ranges_that_overlap_are_named() -> None:
    ranges = "ann:100000:65536\nirc:165536:65536\n1000:500:2\nbob:120000:10\nroot:231000:10\n"
    found = subordinate_ids(RecordedHost(files={**ACCOUNTS, "/etc/subuid": ranges}), {})
    assert found["overlaps"] == ["subuid: ann and bob", "subuid: irc and root"]
    assert (found["unknown"], found["low"]) == (["bob"], ["1000"])


def test_a_range_that_is_none_is_an_error() -> None:
    with pytest.raises(ProbeError, match="wanted name:start:count"):
        subordinate_ids(RecordedHost(files={**ACCOUNTS, "/etc/subgid": "ann:many:1\n"}), {})


def test_what_useradd_gives_is_asked_of_useradd() -> None:
    assert useradd_defaults(RecordedHost(commands={"useradd -D": "GROUP=100\nINACTIVE=-1\nSHELL=/bin/sh\n"}), {}) == {
        "GROUP": 100,
        "INACTIVE": -1,
        "SHELL": "/bin/sh",
    }
    with pytest.raises(ProbeError):
        useradd_defaults(RecordedHost(commands={"useradd -D": ""}), {})


def test_sources_of_names_come_in_order() -> None:
    text = "passwd: ldap [NOTFOUND=return] files # why\ngroup: files\n"
    host = RecordedHost(files={"/etc/nsswitch.conf": text})
    assert [name_services(host, {"database": name}) for name in ("passwd", "group", "shadow")] == [
        ["ldap", "files"],
        ["files"],
        ["files"],
    ]


def test_root_is_locked_too_when_it_has_a_time() -> None:
    files = {
        "/etc/pam.d/login": "auth required pam_faillock.so preauth\n",
        "/etc/security/faillock.conf": "root_unlock_time = 60\n",
    }
    found = account_lockout(RecordedHost(files=files), {})
    assert (found["even_deny_root"], found["root_unlock_time"]) == (True, 60)
    plain = account_lockout(RecordedHost(files={"/etc/pam.d/login": "auth required pam_faillock.so\n"}), {})
    assert (plain["even_deny_root"], plain["root_unlock_time"]) == (False, 600)


def test_the_history_of_passwords_is_what_the_stack_runs() -> None:
    line = "password requisite pam_pwhistory.so remember=24 use_authtok\n"
    unix = "password required pam_unix.so yescrypt\n"
    files = {"/etc/pam.d/passwd": line + unix, "/etc/security/pwhistory.conf": "remember = 3\nenforce_for_root\n"}
    found = password_history(RecordedHost(files=files), {})
    assert found == {"remember": 24, "retry": 1, "enforce_for_root": True, "use_authtok": True, "before_unix": True}
    assert password_history(RecordedHost(files={"/etc/pam.d/passwd": unix + line}), {})["before_unix"] is False
    with pytest.raises(Absent):
        password_history(RecordedHost(files={"/etc/pam.d/passwd": unix}), {})


@pytest.mark.parametrize(
    ("unix", "defs", "expected"),
    [
        ("yescrypt", "ENCRYPT_METHOD YESCRYPT\n", ("yescrypt", 5, True)),
        ("sha512 rounds=9", "ENCRYPT_METHOD YESCRYPT\nYESCRYPT_COST_FACTOR 7\n", ("sha512", 9, False)),
        ("obscure", "ENCRYPT_METHOD SHA512\nYESCRYPT_COST_FACTOR 7\n", ("sha512", 7, True)),
    ],
)
def test_the_hash_of_a_new_password(unix: str, defs: str, expected: tuple[str, int, bool]) -> None:
    files = {"/etc/pam.d/passwd": f"password required pam_unix.so {unix}\n", "/etc/login.defs": defs}
    found = password_hashing(RecordedHost(files=files), {})
    assert (found["pam"], found["cost"], found["agree"]) == expected


@pytest.mark.parametrize(
    ("stack", "first"),
    [
        ("auth sufficient pam_rootok.so\nauth required pam_wheel.so use_uid group=sugroup\n" + AUTH, True),
        (AUTH + "auth required pam_wheel.so use_uid group=sugroup\n", False),
        ("auth optional pam_wheel.so use_uid group=sugroup\n" + AUTH, False),
        ("auth required pam_wheel.so group=sugroup\n" + AUTH, False),
        ("auth required pam_wheel.so use_uid deny group=sugroup\n" + AUTH, False),
    ],
)
def test_a_gate_stands_before_the_password(stack: str, first: bool) -> None:
    host = RecordedHost(files={**ACCOUNTS, "/etc/pam.d/su": stack})
    assert pam_gate(host, {"service": "su"}) == {"group": "sugroup", "members": ["ann"], "first": first}


def test_a_gate_that_lets_in_is_none() -> None:
    host = RecordedHost(files={**ACCOUNTS, "/etc/pam.d/su": "auth sufficient pam_wheel.so trust\n" + AUTH})
    with pytest.raises(Absent, match="asks for no group"):
        pam_gate(host, {"service": "su"})


def test_every_service_is_played_through() -> None:
    files = {
        "/etc/pam.d/common-auth": AUTH,
        "/etc/pam.d/sudo": "@include common-auth\n",
        "/etc/pam.d/open": "auth sufficient pam_permit.so\n@include common-auth\n",
        "/etc/pam.d/open.dpkg-old": "auth required pam_permit.so\n",
        "/etc/pam.d/quiet": "session required pam_unix.so\n",
    }
    found = {
        one["name"]: (one["right"], one["wrong"], one["locked"]) for one in pam_decisions(RecordedHost(files=files), {})
    }
    assert found == {"common-auth": (True, False, None), "sudo": (True, False, None), "open": (True, True, None)}
    assert [one["name"] for one in pam_decisions(RecordedHost(files=files), {"services": ["sudo"]})] == ["sudo"]


def test_a_host_without_services_is_an_error_and_a_service_that_cannot_be_read_too() -> None:
    with pytest.raises(ProbeError, match="no PAM service"):
        pam_decisions(RecordedHost(), {})
    with pytest.raises(ProbeError, match="no control of PAM"):
        pam_decisions(RecordedHost(files={"/etc/pam.d/x": "auth mandatory pam_unix.so\n"}), {})


def test_lines_of_all_services_are_found_by_their_module() -> None:
    files = {"/etc/pam.d/x": "auth required pam_unix.so nullok remember=5\nsession required pam_env.so\n"}
    assert pam_lines(RecordedHost(files=files), {"modules": ["pam_unix.so"]})[0]["options"] == ["nullok", "remember"]


def test_modules_that_are_not_there_are_seen_unless_they_may_be_missing() -> None:
    here = "/usr/lib/x86_64-linux-gnu/security/pam_unix.so"
    files = {
        "/etc/pam.d/x": "auth required pam_unix.so\nauth required pam_gone.so\n-auth optional pam_maybe.so\n",
        here: "",
    }
    found = {one["name"]: (one["exists"], one["path"]) for one in pam_modules(RecordedHost(files=files), {})}
    assert found == {"pam_unix.so": (True, here), "pam_gone.so": (False, "pam_gone.so")}


def rules(*commands: Any, **more: Any) -> RecordedHost:
    spec = {
        "User_List": [{"usergroup": "adm"}],
        "Host_List": [{"hostname": "ALL"}],
        "Cmnd_Specs": [{"Commands": list(commands)}],
    }
    document = {"User_Specs": [spec], **more}
    stats = {
        "/srv/tool": FileStat(mode=stat.S_IFREG | 0o775, uid=1000, gid=0),
        "/srv": FileStat(mode=stat.S_IFDIR | 0o777, uid=0, gid=0),
        "/usr/bin/less": FileStat(mode=stat.S_IFREG | 0o755, uid=0, gid=0),
        "/usr/bin": FileStat(mode=stat.S_IFDIR | 0o755, uid=0, gid=0),
    }
    return RecordedHost(
        commands={"cvtsudoers -f json /etc/sudoers": json.dumps(document)}, stats=stats, users={0: "root", 1000: "ann"}
    )


def test_commands_of_rules_are_looked_at_one_by_one() -> None:
    commands = [
        {"command": "ALL"},
        {"command": "ALL", "negated": True},
        {"command": "/srv/tool *"},
        {"command": "/usr/bin/less", "negated": True},
    ]
    found = {one["name"]: one for one in sudo_commands(rules(*commands), {})}
    assert set(found) == {"/srv/tool *", "!/usr/bin/less"}
    tool, less = found["/srv/tool *"], found["!/usr/bin/less"]
    assert (tool["owner"], tool["mode"], tool["folder_mode"], tool["wildcard"], tool["shell"]) == (
        "ann",
        "0775",
        "0777",
        True,
        False,
    )
    assert (less["negated"], less["shell"], less["wildcard"], less["users"]) == (True, True, False, ["%adm"])


def test_who_runs_everything_and_who_is_not_asked() -> None:
    defaults = [{"Binding": [{"username": "ann"}], "Options": [{"authenticate": False}]}]
    found = sudoers(rules({"command": "ALL"}, Defaults=defaults), {})
    assert (found["everything"], found["unasked"]) == (["%adm"], ["ann"])


def test_files_of_sudo_are_those_that_it_reads_and_those_beside_them() -> None:
    files = {
        "/etc/sudoers": "",
        "/etc/sudoers.d/rampart": "",
        "/etc/sudoers.d/broken": "",
        "/etc/sudoers.d/old.bak": "",
    }
    said = (1, "/etc/sudoers.d/broken:1:3: syntax error\n/etc/sudoers: parsed OK\n", "")
    found = sudoers_files(RecordedHost(files=files, commands={"visudo -c": said}), {})
    assert (found["valid"], found["problems"]) == (False, ["/etc/sudoers.d/broken:1:3: syntax error"])
    assert [one["path"] for one in found["files"]] == [
        "/etc/sudoers",
        "/etc/sudoers.d/broken",
        "/etc/sudoers.d/rampart",
    ]


def test_sudo_that_is_not_there_has_no_files_and_a_silent_one_is_an_error() -> None:
    with pytest.raises(Absent):
        sudoers_files(RecordedHost(), {})
    with pytest.raises(ProbeError, match="named no file"):
        sudoers_files(RecordedHost(files={"/etc/sudoers": ""}, commands={"visudo -c": ""}), {})
