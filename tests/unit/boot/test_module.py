# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The module with a grub-mkconfig of its own: four ways to run it, and what is refused changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.rampart.fleet.plugins.modules import grub_menu

MKCONFIG = """\
#!/bin/sh
. {root}/settings
[ -x {root}/linux ] || NAME=none
printf "menuentry 'a' {{\\n %s %s/vmlinuz root=/dev/sda1 %s\\n}}\\n" "$NAME" {root} "$WORDS" > "$2"
"""
CHECK = "#!/bin/sh\ngrep -q menuentry $1\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bin").mkdir()
    for name, content in (("bin/grub-mkconfig", MKCONFIG), ("bin/grub-script-check", CHECK), ("linux", "#!/bin/sh\n")):
        (tmp_path / name).write_text(content.format(root=tmp_path) if "mkconfig" in name else content)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "vmlinuz").write_text("")
    (tmp_path / "settings").write_text("NAME=linux\nWORDS=quiet\n")
    (tmp_path / "grub.cfg").write_text(f"menuentry 'a' {{\n linux {tmp_path}/vmlinuz root=/dev/sda1 quiet\n}}\n")
    (tmp_path / "grub.cfg").chmod(0o644)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    return tmp_path


def run(
    capsys: pytest.CaptureFixture[str], root: Path, words: str, check: bool = False, linux: bool = True
) -> dict[str, Any]:
    """Run the module and return what it returned."""
    arguments = {
        "files": [{"path": f"{root}/settings", "content": f"NAME=linux\nWORDS={words}\n"}],
        "generators": {f"{root}/linux": linux},
        "path": f"{root}/grub.cfg",
        "_ansible_check_mode": check,
        "_ansible_tmpdir": str(root),
    }
    with patch_module_args(arguments), pytest.raises(SystemExit):
        grub_menu.main()
    answer: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return answer


def state(root: Path) -> dict[str, tuple[str, int]]:
    return {p.name: (p.read_text(), p.stat().st_mode & 0o777) for p in sorted(root.iterdir()) if p.is_file()}


def test_check_real_again_and_again_in_check(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = state(root)
    assert run(capsys, root, "audit=1", check=True)["changed"] is True
    assert state(root) == before
    done = run(capsys, root, "audit=1")
    assert (done["changed"], done["title"], done["cmdline"]) == (True, "a", "root=/dev/sda1 audit=1")
    assert "audit=1" in done["waiting"]
    assert "audit=1" in (root / "grub.cfg").read_text()
    assert (root / "grub.cfg").stat().st_mode & 0o777 == 0o600
    assert run(capsys, root, "audit=1")["changed"] is False
    assert run(capsys, root, "audit=1", check=True)["changed"] is False


def test_a_menu_that_starts_nothing_changes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = state(root)
    done = run(capsys, root, "audit=1", linux=False)
    assert done["failed"] is True
    assert "no entry with a kernel" in done["msg"]
    assert state(root) == before


def test_settings_that_grub_does_not_understand_change_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = state(root)
    done = run(capsys, root, "$(exit 1)\nexit 1")
    assert "ended with status 1, wanted 0" in done["msg"]
    assert state(root) == before


def test_a_password_is_in_no_diff(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, root, "\n# password_pbkdf2 root grub.pbkdf2.secret")
    assert "grub.pbkdf2.secret" not in json.dumps(done["diff"])
