# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A flat apt repository of everything the roles install, with all dependencies, made by apt with state of its own.

The machine's own apt state is never touched. Downloaded packages stay in a pool, so that a changed list fetches only
what is new.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from importlib import resources
from pathlib import Path

import yaml

from rampart.lab import aptsources
from rampart.lab.errors import LabError
from rampart.lab.plan import RELEASES
from rampart.lab.state import locked
from rampart.lab.tools import require, run

VERSION = 3
KEY = "rampart-lab.gpg"
_BUILD_S = 1800
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")


def packages(release: str, folder: Path | None = None) -> list[str]:
    """All packages of `packages.d/*.yml`, sorted; a file: `{packages: [], packages_12: [], packages_13: []}`."""
    where = folder or Path(str(resources.files("rampart.lab").joinpath("packages.d")))
    names: set[str] = set()
    for path in sorted(where.glob("*.yml")):
        data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        known = {"packages", *(f"packages_{number}" for number in RELEASES)}
        if not isinstance(data, dict) or set(data) - known:
            raise LabError(f"{path}: wanted a mapping with the keys {', '.join(sorted(known))}")
        for key in ("packages", f"packages_{release}"):
            names |= _checked(data.get(key, []), f"{path}: {key}")
    return sorted(names)


def ensure(release: str, cache: Path, say: Callable[[str], None]) -> Path:
    """The folder of a release's repository (`Packages`, `InRelease`, its key, `*.deb`), built once."""
    wanted = packages(release)
    sources = aptsources.lines_for(RELEASES[release])
    folder = cache / "apt" / folder_name(release)
    if folder.is_dir():
        return folder
    require({"apt-get": "apt", "apt-ftparchive": "apt-utils", "gpg": "gpg", "gpgconf": "gpgconf"})
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent / f".{release}.lock", f"the package repository of Debian {release}", say, _BUILD_S):
        if not folder.is_dir():
            _build(folder, release, wanted, sources, say)
    return folder


def folder_name(release: str) -> str:
    """The name of the repository's folder in the cache: it holds what the package lists are now."""
    digest = hashlib.sha256(json.dumps([VERSION, release, packages(release)]).encode()).hexdigest()[:12]
    return f"{release}-{digest}"


def repository_name(name: str) -> str:
    """The name in a repository of a file of the pool: apt's file: method would decode an epoch's %3a."""
    return re.sub(r"_\d+%3a", "_", name)


def _build(folder: Path, release: str, wanted: list[str], sources: list[str], say: Callable[[str], None]) -> None:
    for stale in folder.parent.glob(f".{release}.build-*"):  # the lock is ours: its builder was killed
        shutil.rmtree(stale)
    pool = folder.parent / f"pool-{release}"
    pool.mkdir(exist_ok=True)
    build = Path(tempfile.mkdtemp(prefix=f".{release}.build-", dir=folder.parent))
    try:
        say(f"building the package repository of Debian {release}: {len(wanted)} packages with what they need")
        apt = _private_apt(build / "apt", sources)
        _apt(apt, ["update"], "update of the package lists")
        files = _resolve(apt, wanted)
        fresh = [name for name in files if not (pool / name).exists()]
        say(f"  downloading {len(fresh)} of {len(files)} packages")
        _download(apt, fresh, pool)
        repository = build / "repository"
        repository.mkdir(mode=0o755)
        for name in files:
            _link(pool / name, repository / repository_name(name))
        _index(repository)
        _sign(repository, build / "keys")
        repository.rename(folder)
    finally:
        shutil.rmtree(build, ignore_errors=True)


def _private_apt(root: Path, sources: list[str]) -> list[str]:
    """An apt-get command line with a state, a cache and a configuration of its own, and no packages installed."""
    folders = ("preferences.d", "apt.conf.d", "trusted.gpg.d")
    for name in ("state/lists/partial", "cache/archives/partial", *(f"etc/{folder}" for folder in folders)):
        (root / name).mkdir(parents=True)
    (root / "state/status").touch()
    (root / "etc/sources.list").write_text("\n".join(sources) + "\n", encoding="utf-8")
    settings = (
        f'Dir::State "{root}/state/"; Dir::State::status "{root}/state/status";\n'
        f'Dir::Cache "{root}/cache/"; Dir::Etc "{root}/etc/";\n'
        'APT::Install-Recommends "false"; APT::Get::Assume-Yes "true"; Debug::NoLocking "true";\n'
        'APT::Sandbox::User "";'
        'Dir::Log "/dev/null"; APT::Update::Post-Invoke-Success ""; quiet "2";\n'
    )
    (root / "apt.conf").write_text(settings + aptsources.apt_options(), encoding="utf-8")
    return ["env", f"APT_CONFIG={root}/apt.conf", "apt-get"]


def _resolve(apt: list[str], wanted: list[str]) -> list[str]:
    """File names of the packages and all they depend on. Packages that exclude each other are resolved one by one."""
    try:
        return _file_names(_apt(apt, ["--print-uris", "install", *wanted], "resolution"))
    except LabError:
        names: dict[str, None] = {}
        for package in wanted:
            said = _apt(apt, ["--print-uris", "install", package], f"resolution of {package} (see packages.d)")
            names.update(dict.fromkeys(_file_names(said)))
        return list(names)


def _file_names(text: str) -> list[str]:
    return [line.split()[1] for line in text.splitlines() if line.startswith("'")]


def _pinned(files: Iterable[str]) -> list[str]:
    """`name=version` of file names like `auditd_1%3a3.0.9-1_amd64.deb`, the way apt-get install takes them."""
    parts = (name.removesuffix(".deb").split("_") for name in files)
    return [f"{name}={version.replace('%3a', ':')}" for name, version, _ in parts]


def _download(apt: list[str], files: list[str], pool: Path) -> None:
    """Fetch into a folder of the pool's file system, and move what is complete: the pool holds no halves."""
    if not files:
        return
    with tempfile.TemporaryDirectory(prefix="partial-", dir=pool) as partial:
        _apt(["env", "-C", partial, *apt], ["download", *_pinned(files)], "download")
        for path in Path(partial).glob("*.deb"):
            path.rename(pool / path.name)


def _apt(apt: list[str], arguments: list[str], what: str) -> str:
    try:
        return run([*apt, *arguments], seconds=_BUILD_S)
    except LabError as exc:
        tail = "\n".join(str(exc).splitlines()[-12:])
        raise LabError(f"{what} failed: {shlex.join(arguments[:4])} ...:\n{tail}") from exc


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _index(repository: Path) -> None:
    with (repository / "Packages").open("wb") as sink:
        subprocess.run(["apt-ftparchive", "packages", "."], cwd=repository, stdout=sink, check=True, timeout=_BUILD_S)
    label = ["-oAPT::FTPArchive::Release::Origin=Rampart lab", "-oAPT::FTPArchive::Release::Label=Rampart lab"]
    release = run(["env", "-C", str(repository), "apt-ftparchive", *label, "release", "."])
    (repository / "Release").write_text(release, encoding="utf-8")


def _sign(repository: Path, keys: Path) -> None:
    """Sign with a key of this repository alone, whose secret half ends with the build: nobody signs another one."""
    keys.mkdir(mode=0o700)
    gpg = ["env", f"GNUPGHOME={keys}", "gpg", "--batch", "--quiet", "--pinentry-mode=loopback", "--passphrase="]
    try:
        run([*gpg, "--quick-generate-key", "Rampart lab <lab@rampart.invalid>", "ed25519", "sign", "never"])
        run([*gpg, f"--output={repository / 'InRelease'}", "--clearsign", str(repository / "Release")])
        run([*gpg, f"--output={repository / KEY}", "--export"])
    finally:
        run(["env", f"GNUPGHOME={keys}", "gpgconf", "--kill", "all"])


def _checked(value: object, where: str) -> set[str]:
    if not isinstance(value, list) or any(not isinstance(name, str) or not _PACKAGE.fullmatch(name) for name in value):
        raise LabError(f"{where}: found {value!r}, wanted a list of Debian package names")
    return set(value)
