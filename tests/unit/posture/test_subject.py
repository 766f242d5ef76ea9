# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A tool that is gone or talks nonsense is an error: nothing that it would have told counts as found or as absent."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.posture.errors import Absent, ProbeError
from ansible_collections.rampart.fleet.plugins.module_utils.posture.probes import kinds
from ansible_collections.rampart.fleet.plugins.module_utils.posture.subject import require_subject, word

from .recorded_host import RecordedHost

GARBAGE = "\ufffd{]\n<<nothing: that= anyone[understands\n"
CONTEXT = "user=root,host=198.51.100.1,addr=198.51.100.1,laddr=198.51.100.2,lport=22"
PASSWD = {"/etc/passwd": "root:x:0:0::/root:/bin/bash\n", "/etc/group": "root:x:0:\n"}


def test_what_was_never_installed_is_absent() -> None:
    with pytest.raises(Absent, match="no nft here"):
        require_subject(RecordedHost(), "nft", "nftables", "no nft here")


def test_a_package_without_its_tool_is_an_error() -> None:
    host = RecordedHost(files={"/var/lib/dpkg/info/nftables.list": ""})
    with pytest.raises(ProbeError, match="package nftables is installed, and its 'nft'"):
        require_subject(host, "nft", "nftables", "no nft here")


def test_a_tool_that_is_there_is_fine_without_a_package() -> None:
    require_subject(RecordedHost(commands={"nft list": ""}), "nft", "nftables", "no nft here")


def test_only_known_words_are_taken() -> None:
    assert word(" enabled\n", "enabled disabled", "systemctl") == "enabled"
    with pytest.raises(ProbeError, match=r"systemctl said 'enabled disabled', wanted one of"):
        word("enabled disabled", "enabled disabled", "systemctl")


@pytest.mark.parametrize(
    ("kind", "params", "commands"),
    [
        ("sshd_effective", {}, ["sshd -T"]),
        ("ssh_host_keys", {}, ["sshd -T"]),
        (
            "authorized_keys",
            {},
            [f"sshd -T -C {CONTEXT}"],
        ),
        ("apt_config", {}, ["apt-config dump"]),
        ("logging", {}, ["ss -n -t -u -a -p"]),
        ("unit_at_boot", {"unit": "x.service"}, ["systemctl is-enabled x.service"]),
        ("journald", {}, ["systemctl show --property=MainPID --value systemd-journald.service"]),
        ("virt", {}, ["systemd-detect-virt"]),
        ("kernel_module", {"name": "dccp"}, ["modprobe --dry-run --show-depends dccp", "modprobe --showconfig"]),
    ],
)
def test_nonsense_is_an_error(kind: str, params: dict[str, Any], commands: list[str]) -> None:
    host = RecordedHost(files=PASSWD, commands=dict.fromkeys(commands, GARBAGE))
    with pytest.raises(ProbeError):
        kinds()[kind](host, params)


def test_modprobe_that_fails_for_another_reason_than_a_missing_module_is_an_error() -> None:
    refused = (1, "", "modprobe: ERROR: could not open /lib/modules: Permission denied")
    host = RecordedHost(commands={"modprobe --showconfig": "", "modprobe --dry-run --show-depends dccp": refused})
    with pytest.raises(ProbeError, match="Permission denied"):
        kinds()["kernel_module"](host, {"name": "dccp"})


def test_is_enabled_that_fails_without_naming_a_missing_file_is_an_error() -> None:
    host = RecordedHost(commands={"systemctl is-enabled x.service": (1, "", "Operation not permitted")})
    with pytest.raises(ProbeError, match="Operation not permitted"):
        kinds()["unit_at_boot"](host, {"unit": "x.service"})
