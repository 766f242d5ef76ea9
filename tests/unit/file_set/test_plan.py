# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What a set of files needs: entries that are wrong are named, and only what differs becomes an action."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.file_set.block import BEGIN, END, with_block
from ansible_collections.rampart.fleet.plugins.module_utils.file_set.plan import Found, Obstacle, decide, diff_of
from ansible_collections.rampart.fleet.plugins.module_utils.file_set.spec import FileSpec, SpecError, expand, parse

IDS = {"root": 0, "shadow": 42}


def parsed(**entry: Any) -> FileSpec:
    return parse([{"path": "/etc/a", **entry}], IDS.__getitem__, IDS.__getitem__)[0]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"path": "etc/a", "content": ""}, "etc/a: wanted an absolute path"),
        ({"path": "/etc/../a", "content": ""}, "wanted an absolute path"),
        ({"path": "/etc/a/", "content": ""}, "wanted an absolute path"),
        ({"path": "/", "state": "directory"}, "wanted an absolute path"),
        ({}, "/etc/a: has no content"),
        ({"content": "x", "state": "absent"}, "has content, wanted none with state=absent"),
        ({"content": "", "mode": "644x"}, "mode is '644x', wanted an octal string"),
        ({"content": "", "mode": "9999"}, "mode is '9999'"),
        ({"content": "", "owner": "nobody-here"}, "owner 'nobody-here' does not exist"),
        ({"content": "", "validate": "visudo -cf"}, "wanted a command with %s"),
        ({"state": "link"}, "has no target, wanted target with state=link"),
        ({"state": "link", "target": "/b", "content": "x"}, "has content, wanted none with state=link"),
        ({"content": "x", "target": "/b"}, "has target, wanted none with state=present"),
        ({"state": "link", "target": "/b", "validate": "cat %s"}, "wanted a command with %s for the file"),
        ({"state": "block"}, "has no content, wanted content with state=block"),
        ({"content": "", "unless": "x"}, "unless is 'x', wanted none with state=present"),
        ({"content": "", "state": "block", "unless": "("}, "wanted a regular expression"),
    ],
)
def test_an_entry_that_is_wrong_is_named(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message.replace("(", "\\(")):
        parsed(**entry)


def test_all_wrong_entries_are_named_at_once() -> None:
    with pytest.raises(SpecError, match=r"/a: has no content, .*; /b: mode is"):
        parse([{"path": "/a"}, {"path": "/b", "content": "", "mode": "8"}], IDS.__getitem__, IDS.__getitem__)


def test_a_path_is_named_once() -> None:
    with pytest.raises(SpecError, match="/a: named twice"):
        parse([{"path": "/a", "content": "1"}, {"path": "/a", "content": "2"}], IDS.__getitem__, IDS.__getitem__)


def test_defaults_are_root_and_the_usual_modes() -> None:
    spec = parsed(content="x")
    assert (spec.uid, spec.gid, spec.mode) == (0, 0, 0o644)
    assert parsed(state="directory").mode == 0o755


@pytest.mark.parametrize(
    ("entry", "found", "verb"),
    [
        ({"content": "x"}, None, "create"),
        ({"content": "x"}, Found("file", 0, 0, 0o644, "x"), None),
        ({"content": "x"}, Found("file", 0, 0, 0o644, "y"), "replace"),
        ({"content": "x"}, Found("file", 0, 0, 0o644, None), "replace"),
        ({"content": "x"}, Found("file", 0, 0, 0o600, "x"), "attributes"),
        ({"content": "x"}, Found("file", 1, 0, 0o644, "x"), "attributes"),
        ({"content": "x"}, Found("link", 0, 0, 0o777), "replace"),
        ({"state": "absent"}, None, None),
        ({"state": "absent"}, Found("link", 0, 0, 0o777), "remove"),
        ({"state": "link", "target": "/b"}, None, "create"),
        ({"state": "link", "target": "/b"}, Found("link", 1, 1, 0o777, "/b"), None),
        ({"state": "link", "target": "/b"}, Found("link", 0, 0, 0o777, "/c"), "replace"),
        ({"state": "link", "target": "/b"}, Found("file", 0, 0, 0o644, "/b"), "replace"),
        ({"state": "directory"}, None, "mkdir"),
        ({"state": "directory"}, Found("directory", 0, 0, 0o755), None),
        ({"state": "directory"}, Found("directory", 0, 0, 0o777), "attributes"),
        ({"state": "restricted", "mode": "0640"}, None, None),
        ({"state": "restricted", "mode": "0640"}, Found("link", 0, 0, 0o777), None),
        ({"state": "restricted", "mode": "0640"}, Found("file", 0, 0, 0o600), None),
        ({"state": "restricted", "mode": "0640"}, Found("file", 0, 0, 0o666), "attributes"),
        ({"state": "restricted", "mode": "0640", "group": "shadow"}, Found("file", 0, 0, 0o600), "attributes"),
    ],
)
def test_only_what_differs_becomes_an_action(entry: dict[str, Any], found: Found | None, verb: str | None) -> None:
    action = decide(parsed(**entry), found)
    assert (action.verb if action else None) == verb


def test_restricting_never_adds_a_permission() -> None:
    action = decide(parsed(state="restricted", mode="0640"), Found("file", 0, 0, 0o604))
    assert action is not None and action.mode == 0o600


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_directory_is_not_replaced_by_a_file(state: str) -> None:
    with pytest.raises(Obstacle, match="/etc/a is a directory, wanted a file"):
        decide(parsed(state=state, content="x" if state == "present" else None), Found("directory", 0, 0, 0o755))


@pytest.mark.parametrize("kind", ["directory", "other"])
def test_nothing_but_a_file_is_replaced_by_a_link(kind: str) -> None:
    with pytest.raises(Obstacle, match=f"/etc/a is a {kind}, wanted a link"):
        decide(parsed(state="link", target="/b"), Found(kind, 0, 0, 0o755))


def test_the_diff_of_a_link_shows_where_it_leads() -> None:
    action = decide(parsed(state="link", target="/b"), Found("link", 0, 0, 0o777, "/c"))
    assert action is not None and action.as_dict() == {"path": "/etc/a", "action": "replace", "target": "/b"}
    (shown,) = diff_of([action])
    assert (shown["before"], shown["after"]) == ("/c", "/b")


def test_the_diff_shows_the_content_and_changed_attributes() -> None:
    replace = decide(parsed(content="new\n"), Found("file", 0, 0, 0o644, "old\n"))
    tighten = decide(parsed(content="same\n", mode="0600"), Found("file", 0, 0, 0o644, "same\n"))
    assert replace is not None and tighten is not None
    first, second = diff_of([replace, tighten])
    assert (first["before"], first["after"]) == ("old\n", "new\n")
    assert (second["before"], second["after"]) == ("# file 0644 0:0\n", "# file 0600 0:0\n")


def test_a_pattern_restricts_what_matches_and_is_not_named_and_keeps_its_owner() -> None:
    specs = parse(
        [
            {"path": "/var/log/auth.log", "state": "restricted", "group": "adm", "mode": "0640"},
            {"path": "/var/log/*.log", "state": "restricted", "mode": "0640"},
            {"path": "/var/log/*", "state": "restricted", "mode": "0600"},
        ],
        lambda _name: 0,
        lambda _name: 4,
    )
    on_disk = {"/var/log/*.log": ["/var/log/auth.log", "/var/log/b.log"], "/var/log/*": ["/var/log/b.log"]}
    found = expand(specs, lambda pattern: on_disk[pattern])
    assert [spec.path for spec in found] == ["/var/log/auth.log", "/var/log/b.log"]
    action = decide(found[1], Found("file", 101, 102, 0o644))
    assert action is not None
    assert (action.mode, action.spec.uid, action.spec.gid) == (0o640, 101, 102)
    assert decide(found[1], Found("file", 101, 102, 0o600)) is None


def test_a_block_changes_nothing_but_itself_and_goes_without_a_trace() -> None:
    theirs = "a = 1\n# no end of line"
    action = decide(parsed(state="block", content="b = 2\n"), Found("file", 7, 8, 0o640, theirs))
    assert action is not None and (action.spec.uid, action.spec.gid, action.mode) == (7, 8, 0o640)
    text = action.spec.content
    assert text == f"{theirs}\n{BEGIN}\nb = 2\n{END}\n"
    found = Found("file", 7, 8, 0o640, f"{text}c = 3\n")
    changed = decide(parsed(state="block", content="b = 4"), found)
    assert changed is not None and changed.spec.content == f"{theirs}\nc = 3\n{BEGIN}\nb = 4\n{END}\n"
    gone = decide(parsed(state="block", content=""), found)
    assert gone is not None and gone.spec.content == f"{theirs}\nc = 3\n"


@pytest.mark.parametrize(
    "found",
    [
        Found("link", 0, 0, 0o777),
        Found("file", 0, 0, 0o644, f"x\n{BEGIN}\nshm\n{END}\n"),
        Found("file", 0, 0, 0o644, "their shm\n"),
    ],
)
def test_a_block_that_is_there_or_needless_is_left_alone(found: Found | None) -> None:
    assert decide(parsed(state="block", content="shm", unless="their shm"), found) is None


def test_a_file_that_is_not_there_is_made_for_a_block_and_for_no_content_it_is_not() -> None:
    action = decide(parsed(state="block", content="a = 1"), None)
    assert action is not None and (action.verb, action.mode) == ("create", 0o644)
    assert action.spec.content == f"{BEGIN}\na = 1\n{END}\n"
    assert decide(parsed(state="block", content=""), None) is None


def test_a_block_goes_when_others_have_a_line_for_it() -> None:
    found = Found("file", 0, 0, 0o644, f"their shm\n{BEGIN}\nshm\n{END}\n")
    action = decide(parsed(state="block", content="shm", unless="their shm"), found)
    assert action is not None and action.spec.content == "their shm\n"


@pytest.mark.parametrize("found", [Found("directory", 0, 0, 0o755), Found("file", 0, 0, 0o644, None)])
def test_a_block_has_no_place_in_what_is_no_text(found: Found) -> None:
    with pytest.raises(Obstacle, match="no place for a block"):
        decide(parsed(state="block", content="x"), found)


def test_half_a_block_is_a_line_of_others() -> None:
    assert with_block(f"{BEGIN}\na\n", "b") == f"{BEGIN}\na\n{BEGIN}\nb\n{END}\n"
    assert with_block("a\nMatch x\nb\n", "c", before=lambda line: line.startswith("Match")) == (
        f"a\n{BEGIN}\nc\n{END}\nMatch x\nb\n"
    )
