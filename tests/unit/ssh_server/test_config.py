# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Where a setting of sshd comes from, over files, includes and Match blocks."""

from __future__ import annotations

import fnmatch

from ansible_collections.rampart.fleet.plugins.module_utils.file_set.block import BEGIN, END
from ansible_collections.rampart.fleet.plugins.module_utils.sshd.config import (
    Directive,
    directives,
    rebased,
    repeated,
    rivals,
)

MAIN, OWN = "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/00-rampart.conf"
FILES = {
    MAIN: "# Include /nothing\nInclude /etc/ssh/sshd_config.d/*.conf\n\nPermitRootLogin yes\nX11Forwarding=yes\n",
    OWN: "PermitRootLogin no\n",
    "/etc/ssh/sshd_config.d/50-site.conf": "Match User root Address 10.0.0.0/8\n  PermitRootLogin yes\n",
}


def seen(files: dict[str, str]) -> list[Directive]:
    return list(directives(MAIN, files.__getitem__, lambda pattern: sorted(fnmatch.filter(files, pattern))))


def test_includes_stand_where_they_are_written_and_comments_do_not_count() -> None:
    assert [(one.file.rpartition("/")[2], one.line, one.keyword, one.value) for one in seen(FILES)] == [
        ("00-rampart.conf", 1, "permitrootlogin", "no"),
        ("50-site.conf", 1, "match", "User root Address 10.0.0.0/8"),
        ("50-site.conf", 2, "permitrootlogin", "yes"),
        ("sshd_config", 4, "permitrootlogin", "yes"),
        ("sshd_config", 5, "x11forwarding", "yes"),
    ]


def test_a_match_block_ends_with_its_file() -> None:
    assert [one.match for one in seen(FILES) if one.file == MAIN] == [None, None]


def test_what_stands_later_in_the_main_file_is_no_rival_and_a_match_block_is() -> None:
    assert [one.place for one in rivals(seen(FILES), "PermitRootLogin", OWN)] == [
        "/etc/ssh/sshd_config.d/50-site.conf, line 2 (in the block `Match User root Address 10.0.0.0/8`)"
    ]


def test_an_earlier_file_is_a_rival() -> None:
    files = {**FILES, "/etc/ssh/sshd_config.d/00-a.conf": "PermitRootLogin yes\n"}
    assert "/etc/ssh/sshd_config.d/00-a.conf, line 1" in [
        one.place for one in rivals(seen(files), "PermitRootLogin", OWN)
    ]


def test_an_include_that_never_ends_ends() -> None:
    files = {MAIN: "Include /etc/ssh/sshd_config\nPort 22\n"}
    assert seen(files)[-1].keyword == "port"


def test_includes_of_the_folder_are_moved_and_others_stay() -> None:
    text = 'Include sshd_config.d/*.conf "/etc/ssh/sshd_config.d/a b"  /etc/other/*\nPort 22\n'
    assert rebased(text, "/etc/ssh/sshd_config.d", "/tmp/x") == (
        'Include "/tmp/x/*.conf" "/tmp/x/a b" "/etc/other/*"\nPort 22\n'
    )


def test_a_later_file_decides_a_keyword_whose_last_value_counts() -> None:
    later = [Directive("/own", 1, "maxstartups", "10"), Directive("/z", 2, "maxstartups", "100")]
    assert [one.file for one in rivals(later, "MaxStartups", "/own")] == ["/z"]
    usual = [Directive("/own", 1, "maxsessions", "10"), Directive("/z", 2, "maxsessions", "100")]
    assert rivals(usual, "MaxSessions", "/own") == []


def test_the_main_file_repeats_what_neither_adds_up_nor_decides_before_its_first_directive() -> None:
    settings = "# header\nPermitRootLogin no\nMaxStartups 10:30:60\nDenyUsers root\nHostKey /k\nBanner /etc/issue.net\n"
    block = f"{BEGIN}\n# header\nPermitRootLogin no\nBanner /etc/issue.net\n{END}\n"
    main = "Include x\n#Match y\n  match User git\n  PermitRootLogin yes\n"
    assert repeated(main, settings) == f"Include x\n#Match y\n{block}  match User git\n  PermitRootLogin yes\n"
    assert repeated(repeated(main, settings), settings) == repeated(main, settings)
    assert repeated("# a\n\nPort 22\n", settings) == f"# a\n\n{block}Port 22\n"
    assert repeated("Include x\n", settings) == f"Include x\n{block}"


def test_without_settings_the_main_file_is_as_it_was() -> None:
    main = "Include x\nMatch User git\n  PermitRootLogin yes\n"
    assert repeated(repeated(main, "Banner none\n"), "") == main
