# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What has to be done to a set of files: wanted against found, as actions, and as a diff for people.

Pure: decides from values, and touches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.rampart.fleet.plugins.module_utils.file_set.block import outside, with_block
from ansible_collections.rampart.fleet.plugins.module_utils.file_set.spec import FileSpec


class Obstacle(Exception):
    """Something stands at a wanted path that this module does not replace; the message names it."""


@dataclass(frozen=True)
class Found:
    """What stands at a path: `kind` is file, link, directory or other; content of a regular file (None: not UTF-8), or
    where a link leads when one is wanted."""

    kind: str
    uid: int
    gid: int
    mode: int
    content: str | None = ""


@dataclass(frozen=True)
class Action:
    """One step. `verb` is create, replace, attributes, remove or mkdir; `mode` is what the path will have."""

    verb: str
    spec: FileSpec
    found: Found | None
    mode: int

    def as_dict(self) -> dict[str, Any]:
        """Return the step as the module reports it: path, action and, where they change, mode and owner."""
        told: dict[str, Any] = {"path": self.spec.path, "action": self.verb}
        if self.spec.state == "link":
            told.update(target=self.spec.content)
        elif self.verb != "remove":
            told.update(mode=f"{self.mode:04o}", uid=self.spec.uid, gid=self.spec.gid)
        return told


def decide(spec: FileSpec, found: Found | None) -> Action | None:
    """Return the action that makes the path what is wanted, or None; raise Obstacle when it must not be replaced."""
    if spec.state == "absent":
        return _absent(spec, found)
    if spec.state == "restricted":
        return _restricted(spec, found)
    if spec.state == "block":
        return _block(spec, found)
    if found is None:
        return Action("mkdir" if spec.state == "directory" else "create", spec, None, spec.mode)
    wanted = {"directory": "directory", "link": "link"}.get(spec.state, "file")
    replaceable = found.kind == wanted or (wanted != "directory" and found.kind in ("file", "link"))
    if not replaceable:
        raise Obstacle(f"{spec.path} is a {found.kind}, wanted a {wanted}: move it away and run again")
    same_attributes = (found.uid, found.gid, found.mode) == (spec.uid, spec.gid, spec.mode)
    if wanted == "link":
        return None if (found.kind, found.content) == ("link", spec.content) else Action("replace", spec, found, 0o777)
    if wanted == "file" and (found.kind == "link" or found.content != spec.content):
        return Action("replace", spec, found, spec.mode)
    return None if same_attributes else Action("attributes", spec, found, spec.mode)


def _absent(spec: FileSpec, found: Found | None) -> Action | None:
    if found is None:
        return None
    if found.kind not in ("file", "link"):
        raise Obstacle(f"{spec.path} is a {found.kind}, wanted a file or nothing: remove it by hand")
    return Action("remove", spec, found, 0)


def _restricted(spec: FileSpec, found: Found | None) -> Action | None:
    # A link's own mode means nothing, and what it points to is somebody else's.
    if found is None or found.kind == "link":
        return None
    mode = found.mode & spec.mode
    if spec.keep:
        spec = replace(spec, uid=found.uid, gid=found.gid)
    if (found.uid, found.gid, found.mode) == (spec.uid, spec.gid, mode):
        return None
    return Action("attributes", spec, found, mode)


def _block(spec: FileSpec, found: Found | None) -> Action | None:
    if found is None:
        content = with_block("", spec.content)
        return Action("create", replace(spec, content=content), None, spec.mode) if content else None
    # What a link points to is somebody else's, as above.
    if found.kind == "link":
        return None
    if found.kind != "file" or found.content is None:
        raise Obstacle(f"{spec.path} is not a file of text, so there is no place for a block: look at it by hand")
    needless = spec.unless and any(re.search(spec.unless, line) for line in outside(found.content))
    content = with_block(found.content, "" if needless else spec.content)
    if content == found.content:
        return None
    return Action("replace", replace(spec, content=content, uid=found.uid, gid=found.gid), found, found.mode)


def diff_of(actions: Sequence[Action]) -> list[dict[str, str]]:
    """Return one before/after pair an action, attributes as a first line, in the shape that Ansible prints."""
    return [_pair(action) for action in actions]


def _pair(action: Action) -> dict[str, str]:
    before, after = _sides(action)
    return {"before_header": action.spec.path, "after_header": action.spec.path, "before": before, "after": after}


def _sides(action: Action) -> tuple[str, str]:
    found, spec = action.found, action.spec
    before = "" if found is None else _attributes(found.kind, found.uid, found.gid, found.mode)
    kind = spec.state if spec.state in ("directory", "link") else "file"
    kind = found.kind if found and action.verb == "attributes" else kind
    after = "" if action.verb == "remove" else _attributes(kind, spec.uid, spec.gid, action.mode)
    if action.verb in ("create", "replace"):
        after += spec.content
    if action.verb in ("replace", "remove") and found is not None:
        before += found.content if found.content is not None else "(not text)\n"
    # Equal attributes are noise in the diff of a content.
    if found is not None and action.verb == "replace":
        first = _attributes(found.kind, found.uid, found.gid, found.mode)
        if after.startswith(first):
            return before[len(first) :], after[len(first) :]
    return before, after


def _attributes(kind: str, uid: int, gid: int, mode: int) -> str:
    return f"# {kind} {mode:04o} {uid}:{gid}\n"
