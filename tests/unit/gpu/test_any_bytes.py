# Copyright: the Rampart authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever a tool prints: a result, or an error that says what was read. Never a traceback, and never an empty pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.amd_smi import parse_amd_smi
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.confidential import parse_conf_compute
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.dcgm import parse_diag
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.nvlink import parse_nvlink
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.proc_driver import parse_params, parse_version
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.smi_csv import parse_query_csv
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.smi_xml import parse_smi_xml
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.values import ParseError, plain
from ansible_collections.rampart.fleet.plugins.module_utils.gpu.xid import parse_xids
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.recordings.amd import AmdNode
from tests.recordings.nvidia import NvidiaNode

NODE = NvidiaNode(clocks_listed=1)
XML = NODE.xml().encode()
RESULTS = '[{"status": "Pass"}]'
DIAG = f'{{"DCGM Diagnostic": {{"test_categories": [{{"tests": [{{"name": "b", "results": {RESULTS}}}]}}]}}}}'
VERSION = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.159.03  Tue May  5 00:00:00 UTC 2026\n"
CSV = "pci.bus_id, memory.total [MiB]\n00000000:1B:00.0, 143771 MiB\n"
LOG = "1763755200.1 h kernel: NVRM: Xid (PCI:0000:9b:00): 79, GPU has fallen off the bus.\n"

#: A parser of text, and an answer that it takes
PARSERS: dict[str, tuple[Callable[[str], object], str]] = {
    "csv": (parse_query_csv, CSV),
    "nvlink": (parse_nvlink, NODE.nvlink()),
    "static": (lambda text: parse_amd_smi(text, AmdNode().metric_json()), AmdNode().static_json()),
    "metric": (lambda text: parse_amd_smi(AmdNode().static_json(), text), AmdNode().metric_json()),
    "diag": (parse_diag, DIAG),
    "version": (parse_version, VERSION),
    "params": (parse_params, "DeviceFileMode: 432\n"),
    "conf-compute": (parse_conf_compute, "CC status: ON\n"),
    "log": (lambda text: parse_xids(text.splitlines()), LOG),
}
anything = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def taken_or_refused(parse: Callable[[], object]) -> None:
    """A result that is no text and no bytes of its own, or our error with a message."""
    try:
        plain(parse())
    except ParseError as error:
        assert str(error)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """An answer with a piece cut out, put elsewhere, or replaced by whatever."""
    start = draw(st.integers(0, len(whole)))
    end = draw(st.integers(start, min(len(whole), start + 200)))
    return whole[:start] + draw(st.binary(max_size=40)) + whole[end:]


@anything
@given(st.one_of(st.binary(max_size=400), damaged(XML)))
def test_xml(data: bytes) -> None:
    taken_or_refused(lambda: parse_smi_xml(data))


@anything
@given(st.sampled_from(sorted(NODE.gpus[0])), st.text(max_size=30).filter(lambda text: "\r" not in text))
def test_any_text_in_any_field_concerns_that_field_alone(path: str, text: str) -> None:
    try:
        log = parse_smi_xml(NODE.copy().one(path, text).xml().encode("utf-8", "replace"))
    except ParseError as error:
        # Characters that no XML may hold.
        assert "not well-formed" in str(error) or "invalid token" in str(error)
        return
    healthy = parse_smi_xml(XML)
    assert [gpu for gpu in log.gpus if gpu.bus_id != NODE.bus_id(3)] == [
        gpu for gpu in healthy.gpus if gpu.bus_id != NODE.bus_id(3)
    ]


@pytest.mark.parametrize("name", PARSERS)
@anything
@given(data=st.data())
def test_text(name: str, data: st.DataObject) -> None:
    parse, whole = PARSERS[name]
    text = data.draw(
        st.one_of(st.text(max_size=300), damaged(whole.encode()).map(lambda raw: raw.decode("utf-8", "replace")))
    )
    taken_or_refused(lambda: parse(text))


@pytest.mark.parametrize("name", PARSERS)
def test_a_whole_answer_is_taken(name: str) -> None:
    parse, whole = PARSERS[name]
    assert parse(whole)
