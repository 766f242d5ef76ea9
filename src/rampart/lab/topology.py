# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""A topology file, checked and turned into dataclasses.

A topology says which hosts a lab has, what each is for, and what its machine must offer; names and addresses come
later (plan.py).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from rampart.lab.errors import LabError

MODES = ("inference", "training", "idle", "quarantine")
GROUPS = ("gpu", "gateway", "store")
MAX_HOSTS = 200  # addresses .10 to .209 of the lab's /24
MAX_RAILS = 8
VM_ONLY = ("extra_disk_mib", "tpm", "uefi", "kernel_words")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]|[a-z]")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+-]+")
_KERNEL_WORD = re.compile(r"[A-Za-z0-9_.-]+(=[A-Za-z0-9_.,:/-]*)?")


class _UniqueKeys(yaml.SafeLoader):
    """YAML lets a later key replace an earlier one without a word; a host given twice is a mistake."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


@dataclass(frozen=True)
class HostSpec:
    """One host as the topology file describes it.

    `cpus`, `memory_mib`, `disk_mib` (root), `extra_disk_mib` (a second, empty disk; 0 for none), `tpm` and `uefi`
    shape a virtual machine; the nspawn driver honours `disk_mib` and refuses those of VM_ONLY. `kernel_words` are added
    to the kernel's command line, as a hypervisor does; a machine that continues a snapshot has them once it booted.
    """

    name: str
    mode: str
    groups: tuple[str, ...] = ()
    cpus: int = 2
    memory_mib: int = 1024
    disk_mib: int = 8192
    extra_disk_mib: int = 0
    tpm: bool = False
    uefi: bool = False
    kernel_words: tuple[str, ...] = ()

    @property
    def vm_only(self) -> tuple[str, ...]:
        """What this host wants that a container cannot have."""
        return tuple(key for key in VM_ONLY if getattr(self, key))


@dataclass(frozen=True)
class Topology:
    """A fleet: its hosts, how many isolated back-end segments (`rails`) join them, what their image has installed."""

    name: str
    hosts: tuple[HostSpec, ...]
    rails: int = 0
    packages: tuple[str, ...] = ()

    @property
    def needs_vm(self) -> tuple[str, ...]:
        """Why this topology needs virtual machines, as sentences; empty when containers will do."""
        reasons = [f"it has {self.rails} rails, which need a kernel of their own"] if self.rails else []
        for host in self.hosts:
            reasons += [f"host {host.name} wants {', '.join(host.vm_only)}"] if host.vm_only else []
        return tuple(reasons)


def load(name_or_path: str) -> Topology:
    """Read a shipped topology (`demo`, `single`, `rails`) or a file. Raises LabError that names file and key."""
    path = Path(name_or_path)
    if path.suffix not in (".yml", ".yaml"):
        shipped = shipped_names()
        if name_or_path not in shipped:
            raise LabError(
                f"topology {name_or_path!r} does not exist; wanted one of {', '.join(shipped)}, or the path of a .yml"
                + _hint(name_or_path, shipped)
            )
        path = Path(str(_folder().joinpath(f"{name_or_path}.yml")))
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)
    except OSError as exc:
        raise LabError(
            f"topology file {path}: cannot read it: {exc.strerror}; give the path of a topology file"
        ) from exc
    except yaml.YAMLError as exc:
        raise LabError(f"topology file {path}: not YAML: {exc}") from exc
    return parse(data, name=path.stem, where=str(path))


def shipped_names() -> tuple[str, ...]:
    """The names of the topologies that come with the package, sorted."""
    return tuple(sorted(item.name.removesuffix(".yml") for item in _folder().iterdir() if item.name.endswith(".yml")))


def parse(data: object, name: str, where: str) -> Topology:
    """Turn the parsed YAML `{hosts: {name: {mode, ...}}, rails?: int, packages?: [name]}` into a Topology. Pure."""
    top = _mapping(data, where)
    _known_keys(top, ("hosts", "rails", "packages", "description"), where)
    hosts = _mapping(top.get("hosts"), f"{where}: hosts")
    if not 1 <= len(hosts) <= MAX_HOSTS:
        raise LabError(f"{where}: hosts: found {len(hosts)} hosts, wanted 1 to {MAX_HOSTS}")
    rails = _integer(top.get("rails", 0), f"{where}: rails", 0, MAX_RAILS)
    packages = _words(top.get("packages", []), _PACKAGE, f"{where}: packages", "Debian packages such as chrony")
    return Topology(name, tuple(_host(str(key), value, where) for key, value in hosts.items()), rails, packages)


def check_name(value: str, what: str) -> str:
    """A lower-case host or lab name of at most 32 characters, or LabError."""
    if not _NAME.fullmatch(value):
        raise LabError(
            f"{what} {value!r} is not usable; wanted 1 to 32 characters of a-z, 0-9 and -, with a letter first "
            "and no - last"
        )
    return value


def _host(name: str, data: object, where: str) -> HostSpec:
    check_name(name, f"{where}: host name")
    where = f"{where}: hosts: {name}"
    given = _mapping(data, where)
    _known_keys(given, tuple(f.name for f in fields(HostSpec) if f.name != "name"), where)
    mode = given.get("mode")
    if mode not in MODES:
        raise LabError(f"{where}: mode: found {mode!r}, wanted one of {', '.join(MODES)}" + _hint(str(mode), MODES))
    values: dict[str, Any] = {"name": name, "mode": mode, "groups": _groups(given.get("groups", []), where)}
    limits = {
        "cpus": (1, 64),
        "memory_mib": (256, 1 << 20),
        "disk_mib": (1024, 1 << 22),
        "extra_disk_mib": (0, 1 << 22),
    }
    for key, (low, high) in limits.items():
        if key in given:
            values[key] = _integer(given[key], f"{where}: {key}", low, high)
    for key in ("tpm", "uefi"):
        if key in given:
            values[key] = _boolean(given[key], f"{where}: {key}")
    words = given.get("kernel_words", [])
    values["kernel_words"] = _words(words, _KERNEL_WORD, f"{where}: kernel_words", "words such as audit=1")
    return HostSpec(**values)


def _groups(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or any(group not in GROUPS for group in value):
        raise LabError(f"{where}: groups: found {value!r}, wanted a list of {', '.join(GROUPS)}")
    return tuple(value)


def _words(value: object, form: re.Pattern[str], where: str, wanted: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) and form.fullmatch(word) for word in value):
        raise LabError(f"{where}: found {value!r}, wanted a list of {wanted}")
    return tuple(value)


def _mapping(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise LabError(f"{where}: found {type(value).__name__} {value!r}, wanted a mapping")
    return value


def _known_keys(given: Mapping[str, object], known: tuple[str, ...], where: str) -> None:
    for key in given:
        if key not in known:
            raise LabError(f"{where}: unknown key {key!r}; known are {', '.join(known)}" + _hint(str(key), known))


def _integer(value: object, where: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise LabError(f"{where}: found {value!r}, wanted a whole number from {low} to {high}")
    return value


def _boolean(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise LabError(f"{where}: found {value!r}, wanted true or false")
    return value


def _hint(found: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(found, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _folder() -> Any:
    return resources.files("rampart.lab").joinpath("topologies")
