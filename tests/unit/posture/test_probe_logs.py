# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The files of logs, the journal's settings and its way off the host, from recorded hosts."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError, ProbeTimeout
from ansible_collections.rampart.fleet.plugins.module_utils.posture.host import FileStat
from ansible_collections.rampart.fleet.plugins.module_utils.posture.local_host import LocalHost
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes import journal_files
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.journal_files import (
    cat_config,
    journal_reach,
    journal_upload,
    journal_verify,
    journald_settings,
)
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes.log_files import (
    disk_space,
    log_files,
    logrotate,
)

from .recorded_host import RecordedHost


def status(mode: int, uid: int = 0, kind: int = stat.S_IFREG, mtime: float = 0.0) -> FileStat:
    return FileStat(mode=kind | mode, uid=uid, gid=0, mtime=mtime)


def test_each_kind_of_log_has_its_limit() -> None:
    host = RecordedHost(
        stats={
            "/var/log": status(0o755, kind=stat.S_IFDIR),
            "/var/log/wtmp": status(0o664),
            "/var/log/btmp": status(0o664),
            "/var/log/dpkg.log": status(0o644),
            "/var/log/auth.log": status(0o644),
            "/var/log/app": status(0o777, kind=stat.S_IFDIR),
            "/var/log/app/a.log": status(0o640, uid=1000),
            "/var/log/app/b.log": status(0o640, uid=77),
        },
        users={0: "root", 1000: "ops"},
    )
    value = log_files(host, {})
    assert [(one["path"], one["limit"]) for one in value["loose"]] == [
        ("/var/log/auth.log", "0640"),
        ("/var/log/btmp", "0660"),
    ]
    assert [(one["path"], one["owner"]) for one in value["foreign"]] == [
        ("/var/log/app/a.log", "ops"),
        ("/var/log/app/b.log", "77"),
    ]
    assert value["open_folders"] == ["/var/log/app"]
    assert value["count"] == 7


def test_a_folder_that_may_not_be_read_is_no_pass() -> None:
    class Refusing(RecordedHost):
        def scandir(self, path: str) -> Any:
            raise ProbeError(f"{path} cannot be read: Permission denied")

    with pytest.raises(ProbeError, match="denied"):
        log_files(Refusing(), {})


def test_errors_of_logrotate_are_named() -> None:
    argv = "logrotate --debug /etc/logrotate.conf"
    good = RecordedHost(commands={argv: (0, "", "reading config file\nrotating pattern: /var/log/a  weekly\n")})
    assert logrotate(good, {}) == {"errors": [], "patterns": 1}
    bad = RecordedHost(commands={argv: (1, "", "error: site:2 unknown option 'dayly' -- ignoring line\n")})
    assert logrotate(bad, {})["errors"] == ["error: site:2 unknown option 'dayly' -- ignoring line"]
    silent = RecordedHost(commands={argv: (3, "", "")})
    assert logrotate(silent, {})["errors"] == ["logrotate --debug ended with status 3"]
    with pytest.raises(Absent):
        logrotate(RecordedHost(), {})


def test_room_on_a_disk() -> None:
    def host(output: str) -> RecordedHost:
        argv = "df --block-size=1 --output=avail,size,iavail,itotal /var/log"
        return RecordedHost(files={"/var/log/a": ""}, commands={argv: output})

    head = "Avail 1B-blocks IFree Inodes\n"
    assert disk_space(host(head + "250 1000 10 100\n"), {"path": "/var/log"}) == {
        "free_bytes": 250,
        "free_percent": 25,
        "free_inodes_percent": 10,
    }
    assert disk_space(host(head + "250 1000 0 0\n"), {"path": "/var/log"})["free_inodes_percent"] == 100
    with pytest.raises(ProbeError, match="no sizes"):
        disk_space(host(head), {"path": "/var/log"})


CAT = "systemd-analyze cat-config --no-pager systemd/journald.conf"
JOURNALD = """\
# /etc/systemd/journald.conf
[Journal]
#Storage=auto
Storage=volatile

# /etc/systemd/journald.conf.d/50-rampart.conf
[Journal]
Audit=
Storage=persistent
RateLimitBurst=10000
"""


def journald(text: str = JOURNALD, changed: float = 0.0) -> RecordedHost:
    fields = " ".join(["S", *["0"] * 18, "10000", "0"])
    return RecordedHost(
        files={"/proc/7/stat": f"7 (systemd-journal) {fields}", "/proc/stat": "btime 3000\n"},
        stats={
            "/etc/systemd/journald.conf": status(0o644),
            "/etc/systemd/journald.conf.d": status(0o755, kind=stat.S_IFDIR, mtime=changed),
            "/etc/systemd/journald.conf.d/50-rampart.conf": status(0o644),
        },
        commands={CAT: text, "systemctl show --property=MainPID --value systemd-journald.service": "7\n"},
    )


def test_later_files_win_and_defaults_fill_the_rest() -> None:
    value = journald_settings(journald(), {})
    assert value["settings"]["Storage"] == "persistent"
    assert value["settings"]["MaxLevelStore"] == "debug"
    assert value["files"] == ["/etc/systemd/journald.conf", "/etc/systemd/journald.conf.d/50-rampart.conf"]
    assert value["current"] is True


def test_a_file_that_was_taken_away_since_the_start_is_seen_by_its_folder() -> None:
    assert journald_settings(journald(changed=4000.0), {})["current"] is False


def test_without_systemd_analyze_nothing_is_assumed() -> None:
    with pytest.raises(ProbeError):
        journald_settings(RecordedHost(commands={CAT: (1, "", "Failed")}), {})


HEADER = """\
File path: /var/log/journal/x/system.journal
Head realtime timestamp: Fri 2026-11-20 10:00:00 UTC (5f0000000000000)
Tail realtime timestamp: Sat 2026-11-21 10:00:00 UTC ({tail:x})
"""


@pytest.mark.parametrize(("installed_days", "whole"), [(2.5, True), (60, False)])
def test_a_short_journal_is_whole_on_a_young_host(installed_days: float, whole: bool) -> None:
    tail = 0x5F0000000000000 + 2 * 86_400 * 1_000_000
    installed = tail / 1e6 - installed_days * 86_400
    host = RecordedHost(
        stats={"/etc/machine-id": status(0o444, mtime=installed)},
        commands={"journalctl --header": HEADER.format(tail=tail)},
    )
    assert journal_reach(host, {}) == {"days": 2.0, "host_days": installed_days, "whole": whole}
    with pytest.raises(ProbeError, match="no time"):
        journal_reach(RecordedHost(commands={"journalctl --header": ""}), {})


OLD, NEW = (f"/var/log/journal/x/system@{name}.journal" for name in ("a", "b"))


def verifying(**outcomes: Any) -> RecordedHost:
    return RecordedHost(
        stats={OLD: status(0o640, mtime=1), NEW: status(0o640, mtime=2)},
        commands={f"journalctl --verify --file={path}": outcomes[name] for path, name in ((OLD, "old"), (NEW, "new"))},
    )


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_files, "_PAUSE_S", 0)


def test_closed_files_are_verified_and_the_damaged_ones_named() -> None:
    good, bad = (0, "PASS: x\n", ""), (1, "", "File corruption detected at 1\nFAIL: x (Bad message)\n")
    assert journal_verify(verifying(old=good, new=good), {}) == {"verified": 2, "of": 2, "damaged": []}
    assert journal_verify(verifying(old=bad, new=good), {})["damaged"] == [
        {"path": OLD, "reason": "FAIL: x (Bad message)"}
    ]


ACTIVE = "/var/log/journal/x/system.journal"


def looked_at(folder: Path, path: str, *looks: str) -> LocalHost:
    """A host with one journal file whose verifications end this way, one after the other; the last stays.

    A look is a place in the file, `whole`, `drop` (the file goes away) or `late` (no answer).
    """
    (folder / path[1:]).parent.mkdir(parents=True)
    (folder / path[1:]).touch()
    (folder / "looks").write_text("\n".join(looks) + "\n")
    (folder / "bin").mkdir()
    tool = folder / "bin/journalctl"
    tool.write_text(f"""#!/bin/sh
cd {folder}
look=$(/usr/bin/head -n 1 looks)
[ "$(/usr/bin/wc -l < looks)" = 1 ] || /usr/bin/sed -i 1d looks
case $look in
    whole) echo PASS: x; exit 0 ;;
    drop) /usr/bin/rm {path[1:]} ;;
    late) exec /usr/bin/sleep 60 ;;
    *) echo "File corruption detected at {path}:$look (of 99 bytes, 9%)." >&2 ;;
esac
echo FAIL: x >&2; exit 1
""")
    tool.chmod(0o755)
    return LocalHost(root=str(folder), search_path=[str(folder / "bin")], deadline=time.monotonic() + 60)


@pytest.mark.parametrize(
    ("looks", "damaged"),
    [
        pytest.param(["90"], True, id="at one place"),
        pytest.param(["95", "90"], True, id="at one place, after something else"),
        pytest.param(["91", "92", "93", "94"], False, id="where the journal is written"),
        pytest.param(["90", "90", "90", "94"], False, id="where the journal was written slowly"),
        pytest.param(["90", "whole"], False, id="once"),
    ],
)
def test_damage_stays_at_its_place(tmp_path: Path, looks: list[str], damaged: bool) -> None:
    value = journal_verify(looked_at(tmp_path, ACTIVE, *looks), {})
    assert value == {"verified": 1, "of": 1, "damaged": [{"path": ACTIVE, "reason": "FAIL: x"}] if damaged else []}


def test_a_file_that_is_dropped_meanwhile_is_not_damaged(tmp_path: Path) -> None:
    with pytest.raises(ProbeTimeout, match="dropped before"):
        journal_verify(looked_at(tmp_path, OLD, "drop"), {})


@pytest.mark.parametrize(("path", "counts"), [(OLD, True), (ACTIVE, False)])
def test_without_time_for_more_looks_the_fault_of_a_closed_file_counts(tmp_path: Path, path: str, counts: bool) -> None:
    host = looked_at(tmp_path, path, "90", "late").until(time.monotonic() + 1)
    if counts:
        assert [one["path"] for one in journal_verify(host, {})["damaged"]] == [path]
    else:
        with pytest.raises(ProbeTimeout, match="did not end"):
            journal_verify(host, {})


def test_a_verification_that_ran_out_of_time_says_how_far_it_came() -> None:
    good, late = (0, "PASS", ""), ProbeTimeout("late")
    assert journal_verify(verifying(old=late, new=good), {})["verified"] == 1
    with pytest.raises(ProbeTimeout, match="late"):
        journal_verify(verifying(old=late, new=late), {})
    with pytest.raises(Absent):
        journal_verify(RecordedHost(), {})


UPLOAD = "systemd-analyze cat-config --no-pager systemd/journal-upload.conf"
SHOW = "LoadState=loaded\nActiveState=active\n"
CURSOR = "LAST_CURSOR=s=aa;i=1;b=bb;m=1;t={at:x};x=1\n"


def upload(conf: str, at: int = 4_000_000) -> RecordedHost:
    class Shown(RecordedHost):
        def run(self, argv: Any, timeout: float = 5.0, stdin: str = "") -> Any:
            if argv[0] == "systemctl":
                argv = ["systemctl"]
            return super().run(argv, timeout, stdin)

    return Shown(
        files={
            "/etc/pki/ca.pem": "",
            "/etc/pki/key.pem": "",
            "/etc/pki/cert.pem": "",
            "/var/lib/systemd/journal-upload/state": CURSOR.format(at=at),
        },
        commands={
            UPLOAD: conf,
            "systemctl": SHOW,
            "journalctl --quiet --lines=1 --output=json": json.dumps({"__REALTIME_TIMESTAMP": "9000000"}),
        },
    )


TLS = "[Upload]\nURL=https://logs:19532\nTrustedCertificateFile=/etc/pki/ca.pem\n"
MUTUAL = TLS + "ServerKeyFile=/etc/pki/key.pem\nServerCertificateFile=/etc/pki/cert.pem\n"


def test_the_way_off_the_host_is_described() -> None:
    value = journal_upload(upload(MUTUAL), {})
    assert (value["scheme"], value["authority"], value["certificate"], value["active"]) == ("https", True, True, True)
    assert value["key"]["mode"] == "0644"
    assert value["behind_s"] == 5.0


def test_what_is_not_protected_is_not_claimed() -> None:
    plain = journal_upload(upload("[Upload]\nURL=http://logs:19532\n"), {})
    assert (plain["scheme"], plain["authority"], plain["certificate"], plain["key"]) == ("http", False, False, None)
    anybody = journal_upload(upload("[Upload]\nURL=https://logs\nTrustedCertificateFile=-\n"), {})
    assert anybody["authority"] is False
    lost = journal_upload(upload("[Upload]\nURL=https://logs\nTrustedCertificateFile=/gone.pem\n"), {})
    assert lost["authority"] is False
    with pytest.raises(Absent, match="no receiver"):
        journal_upload(upload("[Upload]\n# URL=\n"), {})


def test_comments_that_name_files_are_headers_only_when_they_are_paths() -> None:
    host = RecordedHost(
        commands={"systemd-analyze cat-config --no-pager x": "# /etc/x.conf\n# see /etc\n;a=b\nc = d\n"}
    )
    assert cat_config(host, "x") == ({"c": "d"}, [])
