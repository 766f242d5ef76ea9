# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser: every view draws, and hostile strings stay text."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.plugin_utils.report import diff, html

Json = dict[str, Any]
BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
OPTIONS += ["--disable-background-networking", "--disable-component-update", "--enable-logging=stderr"]
EVIL = "</script><img src=x onerror=\"document.title='owned'\">"

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium here: the page is checked as text only")


def dom(page: Path, fragment: str, profile: Path) -> str:
    """Return the document as it stands after its script ran; an error on the console fails the test."""
    command = [str(BROWSER), *OPTIONS, f"--user-data-dir={profile}", "--dump-dom", f"{page.as_uri()}#{fragment}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert not re.search(r"CONSOLE.*(Error|Refused|Uncaught)", done.stderr), done.stderr[-2000:]
    return re.sub(r"<script.*?</script>", "", done.stdout, flags=re.DOTALL)


@pytest.fixture
def page(report: Json, tmp_path: Path) -> Path:
    """A page whose first host and first control are hostile, with changes."""
    before = diff.snapshot(report)
    report["hosts"][0].update(name=EVIL, mode=EVIL)
    report["hosts"][0]["context"].update(kernel=EVIL, simulated=["gpu", EVIL])
    first = report["hosts"][0]["results"][0]
    first.update(state="fail", observed=EVIL, reason=EVIL)
    report["hosts"][0]["observations"][first["obs"][0]].update(value={"k": EVIL}, source=EVIL)
    report["controls"][first["id"]].update(title=EVIL, remedy=EVIL)
    report["hosts"][3].update(state="unreachable", reason=EVIL, results=[], counts={}, score=None, coverage=None)
    report["waivers"][0]["reason"] = EVIL
    report["changes"] = {"previous": diff.diff(before, diff.snapshot(report)), "baseline": None}
    path = tmp_path / "index.html"
    path.write_text(html.render(report), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("tab", "drawn"),
    [
        ("failures", r'<article class="card finding'),
        ("matrix", r'<button type="button" tabindex="-1" class="cell pass"'),
        ("all", r'<tr><td><span class="state fail">'),
        ("gaps", r'<details class="card gap">'),
        ("waivers", r"118 days left"),
        ("changes", r"Hosts no longer measured"),
        ("run", r"Catalogue \(SHA-256\)"),
        ("run", r"simulated: gpu"),
    ],
)
def test_a_view_draws_and_hostile_strings_stay_text(page: Path, tmp_path: Path, tab: str, drawn: str) -> None:
    document = dom(page, f"tab={tab}&theme=dark", tmp_path / "profile")
    assert re.search(drawn, document)
    assert 'data-theme="dark"' in document
    assert document.count('class="card host ') == 4
    assert "<img" not in document
    assert "<title>owned" not in document
    assert "&lt;/script&gt;&lt;img" in document


def test_the_evidence_of_a_result_opens(page: Path, report: Json, tmp_path: Path) -> None:
    shown = next(one for one in report["hosts"][1]["results"] if one["state"] == "fail")
    document = dom(page, f"open=gpu1/{shown['id']}", tmp_path / "profile")
    dialog = document[document.index("<dialog") : document.index("</dialog>")]
    assert re.match(r"<dialog[^>]* open", dialog)
    for text in (shown["id"], shown["expected"], "Evidence", shown["obs"][0], "Next step", "AC-6, CM-7"):
        assert text in dialog
