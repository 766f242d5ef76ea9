# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The module on a tree that looks like /proc/sys: check, real, again, again in check; and a kernel that refuses."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.rampart.fleet.plugins.module_utils.sysctl.local import ProcSys
from ansible_collections.rampart.fleet.plugins.modules import sysctl

VALUES = {"kernel/kptr_restrict": "0", "net/ipv4/conf/all/rp_filter": "0", "net/ipv4/conf/eth0.100/rp_filter": "2"}
SETTINGS = {"kernel.kptr_restrict": 2, "net.ipv4.conf.*.rp_filter": 1, "kernel.none": 1}


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for key, value in VALUES.items():
        path = tmp_path / "proc" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value + "\n")
    monkeypatch.setattr(sysctl, "ProcSys", partial(ProcSys, str(tmp_path / "proc")))
    monkeypatch.setattr(sysctl, "in_container", lambda module: False)
    monkeypatch.setattr(sysctl, "sysctl_files", lambda instead: [instead])
    monkeypatch.setattr("os.fchown", lambda descriptor, uid, gid: None)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], folder: Path, check: bool = False, **settings: Any) -> dict[str, Any]:
    arguments = {"settings": settings or SETTINGS, "path": f"{folder}/90.conf", "_ansible_check_mode": check}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        sysctl.main()
    answer: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return answer


def values(folder: Path) -> dict[str, str]:
    return {key: (folder / "proc" / key).read_text().strip() for key in VALUES}


def test_check_real_again_and_again_in_check(proc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checked = run(capsys, proc, check=True)
    assert checked["changed"] and values(proc) == VALUES and not (proc / "90.conf").exists()
    real = run(capsys, proc)
    assert real["changed"] and real["actions"] == checked["actions"] and real["diff"] == checked["diff"]
    assert set(values(proc).values()) == {"2", "1"}
    assert (proc / "90.conf").read_text().splitlines()[1:] == [
        "kernel.kptr_restrict = 2",
        "kernel.none = 1",
        "net.ipv4.conf.*.rp_filter = 1",
        "net.ipv4.conf.all.rp_filter = 1",
        "net.ipv4.conf.default.rp_filter = 1",
    ]
    for check in (False, True):
        again = run(capsys, proc, check=check)
        assert not again["changed"] and again["actions"] == [] and again["diff"] == []


def test_what_the_kernel_does_not_have_is_told_in_a_key_that_ansible_does_not_take_for_its_own(
    proc: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = run(capsys, proc)
    assert [entry["key"] for entry in answer["left_out"]] == ["kernel.none"]
    assert "skipped" not in answer


def test_a_key_that_is_none_changes_nothing(proc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(capsys, proc, **{"kernel.kptr_restrict": 2, "nonsense": 1})
    assert answer["failed"] and "'nonsense' is no sysctl key" in answer["msg"]
    assert values(proc) == VALUES and not (proc / "90.conf").exists()


def test_a_kernel_that_refuses_leaves_values_and_file_as_they_were(
    proc: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (proc / "90.conf").write_text("# former\n")

    def refuse(self: ProcSys, key: str, value: str) -> None:
        if key.endswith("eth0.100/rp_filter") and value == "1":
            raise OSError(22, "Invalid argument")
        (self._base / key).write_text(value + "\n")

    monkeypatch.setattr(ProcSys, "write", refuse)
    answer = run(capsys, proc)
    assert answer["failed"]
    assert "net/ipv4/conf/eth0.100/rp_filter: writing '1' failed: Invalid argument" in answer["msg"]
    assert values(proc) == VALUES and (proc / "90.conf").read_text() == "# former\n"
