# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""All files of a set, or none: staged beside their places, checked, moved in, and moved back when anything fails."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Callable

from ansible_collections.rampart.fleet.plugins.module_utils.atomic import beside, interruptible, remove
from ansible_collections.rampart.fleet.plugins.module_utils.atomic import write as put
from ansible_collections.rampart.fleet.plugins.module_utils.file_set.plan import Action, Found
from ansible_collections.rampart.fleet.plugins.module_utils.file_set.spec import FileSpec

# (spec, path of the staged file): raises when the content is not valid.
Validate = Callable[[FileSpec, str], None]
Undo = Callable[[], None]


def look(path: str, read: bool) -> Found | None:
    """Return what stands at a path, or None for nothing; when `read`, with a file's text or where a link leads."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    kind = "other"
    for name, test in (("file", stat.S_ISREG), ("link", stat.S_ISLNK), ("directory", stat.S_ISDIR)):
        if test(status.st_mode):
            kind = name
    content: str | None = ""
    if read and kind == "link":
        content = str(Path(path).readlink())
    if read and kind == "file":
        try:
            content = Path(path).read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            content = None
    return Found(kind, status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode), content)


class Transaction:
    """Carries out actions; `run` leaves either all of them done, or everything as it was and raises."""

    def __init__(self, actions: Sequence[Action], validate: Validate) -> None:
        self._actions = list(actions)
        self._validate = validate
        self._undo: list[Undo] = []
        self._litter: list[str] = []

    def run(self, verify: Callable[[], None]) -> None:
        """Stage and validate all, then move all in, then call `verify`; whatever raises undoes what was done.

        SIGTERM and SIGHUP raise as well: a run that is ended, or whose connection breaks, leaves no half of a set.
        """
        with interruptible():
            try:
                for action in self._actions:
                    self._stage(action)
                for action in self._actions:
                    self._commit(action)
                verify()
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._clean()

    def _stage(self, action: Action) -> None:
        if action.verb == "mkdir":
            self._make_parents(action.spec.path + "/.")
            os.chown(action.spec.path, action.spec.uid, action.spec.gid)
            os.chmod(action.spec.path, action.mode)  # noqa: PTH101  the umask must not have a say
        if action.verb in ("create", "replace"):
            self._make_parents(action.spec.path)
            staged = beside(action.spec.path)
            self._litter.append(staged)
            self._undo.append(lambda: remove(staged))
            if action.spec.state == "link":
                _link(staged, action.spec.content)
            else:
                write(staged, action.spec, action.mode)
                self._validate(action.spec, staged)

    def _make_parents(self, path: str) -> None:
        missing: list[Path] = []
        parent = Path(path).parent if not path.endswith("/.") else Path(path[:-2])
        while not parent.exists():
            missing.append(parent)
            parent = parent.parent
        for folder in reversed(missing):
            folder.mkdir()
            self._undo.append(folder.rmdir)
            folder.chmod(0o755)  # whatever the umask

    def _commit(self, action: Action) -> None:
        path = action.spec.path
        if action.verb == "attributes":
            self._attributes(action)
        elif action.verb == "create":
            # A hard link instead of a rename: it fails when somebody made the file since we looked.
            os.link(beside(path), path, follow_symlinks=False)
            self._undo.append(lambda: os.unlink(path))  # noqa: PTH108  the path is a string throughout
            # Now, not at the end: tools that `verify` runs may read every file of the folder, as pam-auth-update does.
            remove(beside(path))
        elif action.verb in ("replace", "remove"):
            self._undo.append(_restore(path))
            if action.verb == "remove":
                os.unlink(path)  # noqa: PTH108
            else:
                os.replace(beside(path), path)  # noqa: PTH105

    def _attributes(self, action: Action) -> None:
        found, path = action.found, action.spec.path
        if found is None:
            raise AssertionError(f"attributes of a path that is not there: {path}")
        before = found

        def undo() -> None:
            os.chown(path, before.uid, before.gid, follow_symlinks=False)
            os.chmod(path, before.mode)  # noqa: PTH101

        self._undo.append(undo)
        os.chown(path, action.spec.uid, action.spec.gid, follow_symlinks=False)
        os.chmod(path, action.mode)  # noqa: PTH101

    def _roll_back(self) -> None:
        for undo in reversed(self._undo):
            # One step that cannot be undone must not keep the others from it.
            with contextlib.suppress(OSError):
                undo()
        self._undo.clear()

    def _clean(self) -> None:
        for path in self._litter:
            remove(path)


def _restore(path: str) -> Undo:
    """Return what puts the present file or link back, from memory: a copy in the folder would be read by its tools."""
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        target = Path(path).readlink()

        def relink() -> None:
            remove(path)
            Path(path).symlink_to(target)

        return relink
    content = Path(path).read_bytes()

    def rewrite() -> None:
        put(beside(path), content, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
        os.replace(beside(path), path)  # noqa: PTH105

    return rewrite


def _link(path: str, target: str) -> None:
    remove(path)
    Path(path).symlink_to(target)


def write(path: str, spec: FileSpec, mode: int) -> None:
    """Write a spec's content to a new file with its owner and mode."""
    put(path, spec.content.encode("utf-8"), mode, spec.uid, spec.gid)
