# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Where labs keep their state and their caches: one folder a lab, one lock a lab, one journal a lab."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rampart.lab.errors import LabError
from rampart.lab.journal import Journal
from rampart.lab.plan import HostPlan, LabPlan, RailPlan
from rampart.lab.topology import HostSpec, check_name


@dataclass(frozen=True)
class Paths:
    """The folders of one user: `state` holds a folder a lab, `cache` holds images and repositories."""

    state: Path
    cache: Path

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Paths:
        """RAMPART_LAB_HOME, XDG_STATE_HOME and XDG_CACHE_HOME, else the XDG defaults below the home folder."""
        home = Path(env.get("HOME") or Path.home())
        state = Path(env.get("XDG_STATE_HOME") or home / ".local/state") / "rampart/labs"
        cache = Path(env.get("XDG_CACHE_HOME") or home / ".cache") / "rampart/lab"
        return cls(Path(env.get("RAMPART_LAB_HOME") or state).absolute(), cache.absolute())

    def lab(self, name: str) -> LabFolder:
        return LabFolder(self.state / check_name(name, "lab name"))

    def lab_names(self) -> list[str]:
        """The labs that exist, sorted; what is no lab's folder is left out."""
        if not self.state.is_dir():
            return []
        return sorted(item.name for item in self.state.iterdir() if (item / "journal").exists())


@dataclass(frozen=True)
class LabFolder:
    """The folder of one lab. Nothing in it is needed once `remove` was called."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @cached_property
    def journal(self) -> Journal:
        return Journal(self.path / "journal")

    @property
    def inventory(self) -> Path:
        return self.path / "inventory.yml"

    @property
    def waivers(self) -> Path:
        """Where playbooks look for them: beside the inventory."""
        return self.path / "waivers.yml"

    @property
    def ssh_config(self) -> Path:
        return self.path / "ssh_config"

    @property
    def known_hosts(self) -> Path:
        return self.path / "known_hosts"

    @property
    def key(self) -> Path:
        """The private key of user ops; the public one has the suffix .pub."""
        return self.path / "id_ed25519"

    @property
    def control_sockets(self) -> Path:
        """A folder for ssh control sockets: a socket's path ends at 107 bytes, and ssh and Ansible append up to 60."""
        inside = self.path / "cp"
        if len(str(inside)) <= 45:
            return inside
        digest = hashlib.sha256(str(self.path).encode()).hexdigest()[:10]
        return Path("/tmp") / f"rampart-{os.getuid()}-{digest}"

    def host(self, name: str) -> Path:
        """The folder of a host; the driver's to fill."""
        return self.path / "hosts" / name

    def create(self) -> None:
        """Make the folder, private to the user, with an empty journal."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)
        self.journal.path.touch()

    @contextlib.contextmanager
    def lock(self, say: Callable[[str], None], seconds: float = 900.0) -> Iterator[None]:
        """Hold the lab's lock; says so when another command has it, LabError when it keeps it too long."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.path.parent / f".{self.name}.lock", f"lab {self.name!r}", say, seconds):
            yield

    def save_plan(self, plan: LabPlan) -> None:
        write_atomic(self.path / "plan.json", json.dumps(asdict(plan), indent=1).encode())

    def load_plan(self) -> LabPlan | None:
        """The plan of the lab that is here, None when there is none."""
        try:
            data = json.loads((self.path / "plan.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, json.JSONDecodeError) as exc:
            raise LabError(
                f"{self.path}/plan.json cannot be read: {exc}; run `rampart lab down --name {self.name}`"
            ) from exc
        try:
            return _plan(data)
        except (KeyError, TypeError) as exc:
            raise LabError(
                f"{self.path}/plan.json is of another version ({exc}); run `rampart lab down --name {self.name}`"
            ) from exc

    def remove(self) -> None:
        """Delete the folder, the control sockets, and the lock file."""
        for folder in (self.control_sockets, self.path):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(folder)


@contextlib.contextmanager
def locked(path: Path, what: str, say: Callable[[str], None], seconds: float, shared: bool = False) -> Iterator[None]:
    """A flock, exclusive or shared with others that share it, which the kernel frees whatever ends the process."""
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    end = time.monotonic() + seconds
    told = False
    with path.open("w", encoding="utf-8") as handle:
        while True:
            try:
                fcntl.flock(handle, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise LabError(f"{what} is locked by another command since over {seconds:.0f} s ({path})") from None
                if not told:
                    say(f"waiting for another command that works on {what}")
                    told = True
                time.sleep(0.1)
        yield


def write_atomic(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as sink:
            sink.write(content)
        temporary.chmod(mode)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _plan(data: dict[str, Any]) -> LabPlan:
    hosts = []
    for host in data["hosts"]:
        given = host["spec"]
        lists = {key: tuple(given.get(key, ())) for key in ("groups", "kernel_words")}
        spec = HostSpec(**{**given, **lists})
        hosts.append(HostPlan(**{**host, "spec": spec, "rails": tuple(RailPlan(**rail) for rail in host["rails"])}))
    return LabPlan(**{**data, "hosts": tuple(hosts), "packages": tuple(data.get("packages", ()))})
