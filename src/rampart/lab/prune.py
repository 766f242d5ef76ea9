# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What the cache still holds of earlier recipes and package lists, and its removal where no lab stands on it.

A lab in any state folder may stand on an image, so each `up` registers its lab in the cache before it takes one, and
holds the cache's lock shared until the lab says (in `origin`) what it took. Pruning holds that lock alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rampart.lab import aptrepo, drivers, images
from rampart.lab.plan import RELEASES, make
from rampart.lab.state import Paths, locked
from rampart.lab.topology import load

_WAIT_S = 900.0
_GONE = ".gone-"


@dataclass(frozen=True)
class Freed:
    """What was removed: names below the cache folder, and the bytes that the disk got back."""

    names: tuple[str, ...]
    size: int


@contextlib.contextmanager
def in_use(cache: Path, lab: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Register a lab's folder, and keep `prune` away while the lab takes what it needs from the cache."""
    register = cache / "labs"
    register.mkdir(parents=True, exist_ok=True)
    with locked(cache / ".lock", "the lab's cache", say, _WAIT_S, shared=True):
        link = _registration(cache, lab)
        if not link.is_symlink():
            with contextlib.suppress(FileExistsError):
                link.symlink_to(lab)
        yield


def release(cache: Path, lab: Path) -> None:
    """Take a lab that is gone off the register."""
    _registration(cache, lab).unlink(missing_ok=True)


def prune(paths: Paths, say: Callable[[str], None]) -> Freed:
    """Remove every superseded image, snapshot and repository that no lab stands on, and packages that none holds."""
    cache = paths.cache
    if not cache.is_dir():
        return Freed((), 0)
    with locked(cache / ".lock", "the lab's cache", say, _WAIT_S):
        for left in cache.glob(f"*/{_GONE}*"):  # an earlier prune was killed
            shutil.rmtree(left)
        doomed = superseded(cache, current_names(), needed(paths))
        packages = _unheld_packages(cache / "apt", doomed)
        size = _freed((*doomed, *packages))
        for folder in doomed:
            say(f"removing {folder.relative_to(cache)}")
            # Renamed first: whatever ends this process, no half of an image is taken for a whole one.
            gone = folder.rename(folder.with_name(_GONE + folder.name))
            shutil.rmtree(gone)
        for package in packages:
            package.unlink()
    return Freed(tuple(str(path.relative_to(cache)) for path in doomed), size)


def current_names() -> set[str]:
    """The names of the image and repository folders that `up` would take now, of every driver and release."""
    names = set()
    for release in RELEASES:
        names.add(aptrepo.folder_name(release))
        for driver in drivers.DRIVERS:
            plan = make(load("single"), "prune", driver, release)
            names.add(images.folder_name(drivers.load(driver).recipe(plan)))
    return names


def needed(paths: Paths) -> set[Path]:
    """The folders that the labs of this cache stand on. Registrations of labs that are gone are dropped."""
    labs = {paths.state / name for name in paths.lab_names()}
    register = paths.cache / "labs"
    for link in register.iterdir() if register.is_dir() else ():
        if link.exists():
            labs.add(link.readlink())
        else:
            link.unlink()
    found = set()
    for lab in labs:
        # `origin` is the lab's image and repository; a host's disk may be of an earlier image, which it names itself.
        for note in (lab / "origin", *lab.glob("hosts/*/image")):
            with contextlib.suppress(OSError):
                found |= {Path(line) for line in note.read_text(encoding="utf-8").splitlines() if line}
    return found


def superseded(cache: Path, current: set[str], needed_folders: set[Path]) -> list[Path]:
    """The folders of the cache that are neither current nor needed; a snapshot goes with its image."""
    keep = current | {folder.name for folder in needed_folders}
    doomed = []
    for kind in ("images", "apt"):
        doomed += [
            path for path in _folders(cache / kind) if path.name not in keep and not path.name.startswith("pool")
        ]
    kept_images = tuple(f"{path.name}-" for path in _folders(cache / "images") if path not in doomed)
    doomed += [path for path in _folders(cache / "snapshots") if not path.name.startswith(kept_images)]
    return doomed


def _registration(cache: Path, lab: Path) -> Path:
    return cache / "labs" / hashlib.sha256(str(lab).encode()).hexdigest()[:16]


def _unheld_packages(apt: Path, doomed: list[Path]) -> list[Path]:
    """Files of the download pools that are in no repository which stays."""
    unheld = []
    for release in RELEASES:
        repositories = [path for path in _folders(apt) if path.name.startswith(f"{release}-") and path not in doomed]
        held = {package.name for repository in repositories for package in repository.glob("*.deb")}
        unheld += [
            package
            for package in (apt / f"pool-{release}").glob("*.deb")
            if aptrepo.repository_name(package.name) not in held
        ]
    return unheld


def _folders(parent: Path) -> list[Path]:
    """Finished folders, sorted; names that begin with a dot are builds under way and locks."""
    if not parent.is_dir():
        return []
    return sorted(path for path in parent.iterdir() if path.is_dir() and not path.name.startswith("."))


def _freed(doomed: Iterable[Path]) -> int:
    """Bytes that the disk gets back: a file that keeps a name elsewhere (packages are hard links) keeps its blocks."""
    names: Counter[tuple[int, int]] = Counter()
    found: dict[tuple[int, int], os.stat_result] = {}
    for top in doomed:
        for path in (top, *top.rglob("*")):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                inode = (status.st_dev, status.st_ino)
                names[inode] += 1
                found[inode] = status
    return sum(status.st_blocks * 512 for inode, status in found.items() if status.st_nlink == names[inode])
