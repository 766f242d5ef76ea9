# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Pruning takes what is superseded and nothing that a lab stands on, wherever that lab's folder is."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from rampart.lab import Lab, aptrepo, prune
from rampart.lab.errors import LabError
from rampart.lab.state import Paths, locked

MIB = 1 << 20


def silent(_: str) -> None:
    """Nobody listens."""


def folder(path: Path, size: int = 0) -> Path:
    path.mkdir(parents=True)
    (path / "content").write_bytes(os.urandom(size))
    return path


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "state", tmp_path / "cache")


def lab(home: Path, name: str, image: Path, repository: Path) -> Path:
    made = home / name
    made.mkdir(parents=True)
    (made / "journal").touch()
    (made / "origin").write_text(f"{image}\n{repository}\n", encoding="utf-8")
    return made


def test_current_is_what_up_would_take() -> None:
    names = prune.current_names()
    assert {name.rpartition("-")[0] for name in names} == {"12", "13", "nspawn-12", "nspawn-13", "qemu-12", "qemu-13"}
    assert aptrepo.folder_name("12") in names


def test_superseded_goes_and_current_stays(paths: Paths) -> None:
    current = {name: folder(paths.cache / kind / name) for kind, name in _places(prune.current_names())}
    old = folder(paths.cache / "images/nspawn-12-000000000000", MIB)
    said: list[str] = []
    freed = prune.prune(paths, said.append)
    assert freed.names == ("images/nspawn-12-000000000000",) and said == ["removing images/nspawn-12-000000000000"]
    assert MIB <= freed.size < 2 * MIB
    assert not old.exists() and all(path.is_dir() for path in current.values())
    assert prune.prune(paths, silent) == prune.Freed((), 0)


def test_what_a_lab_stands_on_stays_until_it_is_down(paths: Paths, tmp_path: Path) -> None:
    image = folder(paths.cache / "images/nspawn-12-000000000000")
    repository = folder(paths.cache / "apt/12-000000000000")
    elsewhere = lab(tmp_path / "another home", "a", image, repository)
    with prune.in_use(paths.cache, elsewhere, silent):
        pass
    assert prune.prune(paths, silent).names == ()
    (elsewhere / "origin").unlink()
    (elsewhere / "journal").unlink()
    elsewhere.rmdir()
    assert len(prune.prune(paths, silent).names) == 2
    assert list((paths.cache / "labs").iterdir()) == []


def test_a_lab_that_is_down_is_off_the_register(paths: Paths) -> None:
    made = lab(paths.state, "a", folder(paths.cache / "images/nspawn-12-000000000000"), paths.cache / "apt/none")
    with prune.in_use(paths.cache, made, silent):
        assert [link.readlink() for link in (paths.cache / "labs").iterdir()] == [made]
    Lab("a", paths).down()
    assert list((paths.cache / "labs").iterdir()) == [] and not made.exists()


def test_a_lab_that_never_registered_is_found_in_the_state_folder(paths: Paths) -> None:
    lab(paths.state, "a", folder(paths.cache / "images/qemu-12-000000000000"), paths.cache / "apt/none")
    assert prune.prune(paths, silent).names == ()


def test_a_disk_of_an_earlier_image_keeps_it_and_its_snapshot(paths: Paths) -> None:
    earlier = folder(paths.cache / "images/qemu-12-000000000000")
    snapshot = folder(paths.cache / "snapshots/qemu-12-000000000000-aaaaaaaaaaaa")
    orphan = folder(paths.cache / "snapshots/qemu-12-111111111111-aaaaaaaaaaaa")
    host = lab(paths.state, "a", paths.cache / "images/other", paths.cache / "apt/none") / "hosts/h1"
    host.mkdir(parents=True)
    (host / "image").write_text(str(earlier), encoding="utf-8")
    assert prune.prune(paths, silent).names == (f"snapshots/{orphan.name}",)
    assert earlier.is_dir() and snapshot.is_dir()


def test_packages_that_no_repository_holds_leave_the_pool(paths: Paths) -> None:
    apt = paths.cache / "apt"
    kept, old, pool = apt / aptrepo.folder_name("12"), apt / "12-000000000000", apt / "pool-12"
    for path in (kept, old, pool):
        path.mkdir(parents=True)
    for name, holders in {"a_1%3a2_all.deb": (kept, old), "b_1_all.deb": (old,), "c_1_all.deb": ()}.items():
        (pool / name).write_bytes(os.urandom(MIB))
        for holder in holders:
            os.link(pool / name, holder / aptrepo.repository_name(name))
    freed = prune.prune(paths, silent)
    assert freed.names == ("apt/12-000000000000",)
    assert freed.size == 2 * MIB, "a package that another repository holds frees nothing"
    assert [path.name for path in pool.iterdir()] == ["a_1%3a2_all.deb"]


def test_builds_under_way_stay_and_what_a_killed_prune_left_goes(paths: Paths) -> None:
    build = folder(paths.cache / "images/.nspawn-12-000000000000.build-x")
    left = folder(paths.cache / "images/.gone-nspawn-12-111111111111")
    prune.prune(paths, silent)
    assert build.is_dir() and not left.exists()


def test_pruning_waits_for_an_up_and_two_ups_do_not_wait_for_each_other(paths: Paths, tmp_path: Path) -> None:
    image = folder(paths.cache / "images/nspawn-12-000000000000")
    waits = threading.Event()
    freed: list[prune.Freed] = []
    other = threading.Thread(target=lambda: freed.append(prune.prune(paths, lambda _: waits.set())))
    with (
        prune.in_use(paths.cache, tmp_path / "state/a", silent),
        prune.in_use(paths.cache, tmp_path / "state/b", silent),
    ):
        other.start()
        assert waits.wait(10)
        lab(paths.state, "a", image, paths.cache / "apt/none")
    other.join(10)
    assert freed == [prune.Freed((), 0)] and image.is_dir()


def test_a_shared_lock_keeps_an_exclusive_one_out(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path, "it", silent, 1, shared=True), pytest.raises(LabError, match="it is locked"):  # noqa: SIM117
        with locked(path, "it", silent, 0):
            pass


def test_a_cache_that_is_not_there_is_no_error(paths: Paths) -> None:
    assert prune.prune(paths, silent) == prune.Freed((), 0)


def _places(names: set[str]) -> list[tuple[str, str]]:
    return [("images" if name.startswith(("nspawn", "qemu")) else "apt", name) for name in names]
