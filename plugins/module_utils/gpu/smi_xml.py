# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""What `nvidia-smi -q -x` prints, of the formats 11, 12 and 13, as facts.

The real output has a DOCTYPE that names a file and declares nothing; one that declares entities is refused, so that a
text of a few lines cannot become gigabytes, and nothing outside it is read.
"""

from __future__ import annotations

import re
from dataclasses import Field
from typing import Any, Callable
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from ansible_collections.rampart.fleet.plugins.module_utils.gpu.facts import Gpu, MigDevice, Process, SmiLog
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.mig import with_mig_named
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.values import ParseError, build, read, word

_ROOT = "nvidia_smi_log"
_DTD = re.compile(r"nvsmi_device_v([0-9]{1,3})\.dtd")
_KNOWN_DTDS = (11, 12, 13)
_WHAT = "nvidia-smi -q -x"


def parse_smi_xml(data: bytes) -> SmiLog:
    """Return the facts of an answer; ParseError when it is none, or only half of one."""
    before, document, after = _cut(data)
    root, system_id = _tree(document)
    if root.tag != _ROOT:
        raise ParseError(f"{_WHAT}: the document is <{root.tag[:40]}>, wanted <{_ROOT}>")
    match = _DTD.search(system_id)
    if match is None:
        raise ParseError(f"{_WHAT}: the DOCTYPE names {system_id[:60]!r}, wanted nvsmi_device_vNN.dtd")
    dtd = int(match.group(1))
    if dtd < _KNOWN_DTDS[0]:
        raise ParseError(f"{_WHAT}: format {dtd} is older than {_KNOWN_DTDS[0]}: the driver is too old to be read")
    return SmiLog(
        dtd=dtd,
        driver=read(root.findtext("driver_version"), word),
        cuda=read(root.findtext("cuda_version"), word),
        gpus=tuple(_gpu(each, place) for place, each in enumerate(root.findall("gpu"))),
        notes=tuple(line.strip() for line in (before + "\n" + after).splitlines() if line.strip()),
    )


def _cut(data: bytes) -> tuple[str, bytes, str]:
    """Return what was printed before, the document, and what was printed after: a driver warns on the same stream."""
    start = data.find(b"<?xml")
    if start < 0:
        said = data.decode("utf-8", "replace").strip().splitlines()
        raise ParseError(
            f"{_WHAT}: no XML was printed, but {said[0][:120]!r}" if said else f"{_WHAT}: nothing was printed"
        )
    end_tag = f"</{_ROOT}>".encode()
    end = data.rfind(end_tag)
    if end < 0:
        raise ParseError(f"{_WHAT}: the output ends after {len(data)} bytes before </{_ROOT}>: it is not whole")
    end += len(end_tag)
    return data[:start].decode("utf-8", "replace"), data[start:end], data[end:].decode("utf-8", "replace")


def _tree(document: bytes) -> tuple[Element, str]:
    builder, parser, system_id = TreeBuilder(), expat.ParserCreate("utf-8"), [""]

    def doctype(name: str, system: str | None, public: str | None, has_internal: int) -> None:
        if has_internal or public:
            raise ParseError(f"{_WHAT}: line {parser.CurrentLineNumber}: a DOCTYPE with declarations is refused")
        system_id[0] = system or ""

    def refuse(*_declaration: Any) -> int:
        raise ParseError(f"{_WHAT}: line {parser.CurrentLineNumber}: an entity is refused")

    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = doctype
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    parser.SkippedEntityHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(document, True)
        return builder.close(), system_id[0]
    except expat.ExpatError as error:
        raise ParseError(f"{_WHAT}: {error}") from None


def _gpu(element: Element, place: int) -> Gpu:
    bus_id = (element.get("id") or "").strip()
    if not bus_id:
        raise ParseError(f"{_WHAT}: <gpu> number {place + 1} has no id")
    gpu = build(
        Gpu,
        _lookup(element),
        bus_id=bus_id,
        mig_devices=tuple(build(MigDevice, _lookup(each)) for each in element.findall("mig_devices/mig_device")),
        processes=tuple(build(Process, _lookup(each)) for each in element.findall("processes/process_info")),
    )
    return with_mig_named(gpu)


def _lookup(element: Element) -> Callable[[Field[Any]], str | None]:
    def find(each: Field[Any]) -> str | None:
        texts = (_text(element, path) for path in each.metadata["xml"])
        return next((text for text in texts if text is not None), None)

    return find


def _text(element: Element, path: str) -> str | None:
    """Return the text at a path; where an element in between has text of its own (N/A), that of all below it."""
    here = element
    for name in path.split("/"):
        found = here.find(name)
        if found is None:
            own = (here.text or "").strip()
            return own if own and here is not element and len(here) == 0 else None
        here = found
    return (here.text or "").strip()
