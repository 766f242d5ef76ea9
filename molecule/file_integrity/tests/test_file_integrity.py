# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A change is found, what packages do is not, and a finding outlives a package run."""

from __future__ import annotations

import json
import time
from typing import Any

from testinfra.host import Host

TOOL = "/usr/local/lib/rampart/file-integrity"


def checked(host: Host) -> dict[str, Any]:
    host.run("systemctl start rampart-file-integrity@check.service")
    return state(host)


def state(host: Host) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(host.check_output("cat /var/lib/rampart/file-integrity/state.json"))
    return content


def settled(host: Host) -> dict[str, Any]:
    end = time.monotonic() + 90
    while time.monotonic() < end and (host.file("/var/lib/rampart/file-integrity/packages.json").exists):
        time.sleep(1)
    return state(host)


def test_the_baseline_is_sealed_and_roots_own(host: Host) -> None:
    database = host.file("/var/lib/aide/aide.db")
    assert (database.user, database.mode) == ("root", 0o600)
    seal = json.loads(host.check_output("cat /var/lib/rampart/file-integrity/seal.json"))
    assert database.sha256sum == seal["sha256"]


def test_an_unchanged_host_has_no_finding_and_the_canary_is_seen(host: Host) -> None:
    result = checked(host)
    assert (result["result"], result["canary_seen"]) == ("ok", True), result


def test_a_change_a_new_file_and_a_removed_one_are_found_and_go_away_when_healed(host: Host) -> None:
    host.check_output("cp -a /etc/issue /root/issue.kept; echo x >> /etc/issue; echo x > '/usr/local/bin/new one'")
    host.check_output("mv /etc/issue.net /root/issue.net.kept")
    try:
        result = checked(host)
        assert result["result"] == "changed"
        assert (result["changed"], result["added"]) == (["/etc/issue"], ["/usr/local/bin/new one"])
        assert result["removed"] == ["/etc/issue.net"]
        assert "/etc/issue" in host.check_output("journalctl -q -t rampart-file-integrity -p err -n 1 -o cat")
    finally:
        host.check_output("mv /root/issue.kept /etc/issue; rm '/usr/local/bin/new one'")
        host.check_output("mv /root/issue.net.kept /etc/issue.net")
    assert checked(host)["result"] == "ok"


def test_a_package_run_is_planned_and_a_finding_outlives_it(host: Host) -> None:
    host.check_output("apt-get update -qq; echo evil > /etc/evil.conf")
    try:
        host.check_output("DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends conntrack")
        result = settled(host)
        assert (result["added"], result["changed"], result["removed"]) == (["/etc/evil.conf"], [], []), result
        assert host.file("/usr/sbin/conntrack").exists
        # A file of a package that is not what the package has stays a finding, even while packages change.
        host.check_output("cp -a /usr/sbin/conntrack /root/kept; printf x >> /usr/sbin/conntrack")
        host.check_output(f"{TOOL} packages begin; {TOOL} packages end")
        assert settled(host)["changed"] == ["/usr/sbin/conntrack"]
    finally:
        host.check_output("rm /etc/evil.conf; test ! -e /root/kept || mv /root/kept /usr/sbin/conntrack")
    assert checked(host)["result"] == "ok"


def test_what_an_interrupted_run_changed_is_planned_once_another_completes(host: Host) -> None:
    host.check_output("echo x > /etc/before-the-run; sleep 1")
    try:
        host.check_output(f"{TOOL} begin; sleep 1; echo x > /etc/by-the-run")
        assert checked(host)["added"] == ["/etc/before-the-run", "/etc/by-the-run"]
        done = json.loads(host.check_output(f"{TOOL} apply --since=$(date +%s)"))
        assert (done["job"], done["result"]) == ("settle", "changed")
        assert state(host)["added"] == ["/etc/before-the-run"]
        assert json.loads(host.check_output(f"{TOOL} apply --since=$(date +%s)"))["job"] == ""
    finally:
        host.check_output("rm /etc/before-the-run /etc/by-the-run")
    assert checked(host)["removed"] == ["/etc/by-the-run"]
    host.check_output("systemctl start rampart-file-integrity@accept.service")
    assert state(host)["result"] == "ok"


def test_an_exchanged_baseline_ends_the_check_with_an_error(host: Host) -> None:
    host.check_output("cp -a /var/lib/aide/aide.db /root/aide.db.kept; printf x >> /var/lib/aide/aide.db")
    try:
        result = checked(host)
        assert result["result"] == "error"
        assert "somebody exchanged the baseline" in result["trouble"]
    finally:
        host.check_output("mv /root/aide.db.kept /var/lib/aide/aide.db")
    assert checked(host)["result"] == "ok"


def test_a_mount_below_a_watched_folder_is_left_out(host: Host) -> None:
    host.check_output("mkdir -p /usr/local/lib/models && mount -t tmpfs tmpfs /usr/local/lib/models")
    try:
        host.check_output("echo weights > /usr/local/lib/models/model.bin")
        found = checked(host)
        assert not [path for path in found["added"] if path.startswith("/usr/local/lib/models/")], found
    finally:
        host.check_output("umount /usr/local/lib/models && rmdir /usr/local/lib/models")
    assert checked(host)["result"] == "ok"


def test_the_check_is_due(host: Host) -> None:
    assert host.check_output("systemctl is-enabled rampart-file-integrity.timer") == "enabled"
    assert host.check_output("systemctl show -P ActiveState rampart-file-integrity.timer") == "active"
